package health

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"math"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/goodgate/goodgate/balancer"
)

// maxHeader bounds the bytes of a response header.
const maxHeader = 64 << 10

// oneShot is an [http.RoundTripper] that opens a connection for one request. Unlike
// [http.Transport] it starts no goroutine that could outlive the probe, and it knows
// whether the connection or the answer failed. It connects to its upstream and ignores
// the host of the request's URL.
type oneShot struct {
	prober   *httpProber
	upstream *balancer.Upstream
	line     *line // keeps the connection; nil = close it
}

func (o *oneShot) RoundTrip(req *http.Request) (*http.Response, error) {
	conn, err := o.prober.dialer.dial(req.Context(), o.upstream)
	if err != nil {
		return nil, err
	}
	return o.prober.exchange(conn, req, o.line, true)
}

// exchange sends a request over a connection. Closing the response's body closes the
// connection, or gives it to l if l keeps it.
func (p *httpProber) exchange(conn net.Conn, req *http.Request, l *line, fresh bool) (*http.Response, error) {
	ctx := req.Context()
	w := p.wires.Get().(*wire)
	w.begin(conn)
	err := req.Write(&w.out)
	if err == nil {
		_, err = conn.Write(w.out.Bytes())
	}
	if err != nil {
		conn.Close()
		return nil, exchangeError(ctx, "sending the request", err)
	}
	resp, err := w.readResponse(req)
	if err != nil {
		conn.Close()
		return nil, exchangeError(ctx, "reading the response", err)
	}
	body := &oneShotBody{ReadCloser: resp.Body, ctx: ctx, conn: conn, fresh: fresh, wire: w, wires: &p.wires}
	if l != nil && l.life > 0 && !resp.Close && resp.StatusCode >= 200 {
		body.line, body.length = l, resp.ContentLength
	}
	resp.Body = body
	return resp, nil
}

// wire has the buffers of an exchange.
type wire struct {
	out     bytes.Buffer
	limited io.LimitedReader
	in      *bufio.Reader
}

func newWire() any { return &wire{in: bufio.NewReader(nil)} }

func (w *wire) begin(r io.Reader) {
	w.out.Reset()
	w.limited = io.LimitedReader{R: r, N: maxHeader}
	w.in.Reset(&w.limited)
}

// readResponse reads the header of the final response. It skips informational ones (RFC
// 9110, section 15.2).
func (w *wire) readResponse(req *http.Request) (*http.Response, error) {
	for {
		resp, err := http.ReadResponse(w.in, req)
		if err != nil && w.limited.N <= 0 {
			return nil, wrong("response header is longer than %d bytes", maxHeader)
		}
		if err != nil {
			return nil, err
		}
		if resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols {
			w.limited.N = math.MaxInt64 // the readers of the body have their own limits
			return resp, nil
		}
	}
}

// oneShotBody closes the connection with the body, or keeps it.
type oneShotBody struct {
	io.ReadCloser
	ctx    context.Context
	conn   net.Conn
	fresh  bool // the connection is new
	wire   *wire
	wires  *sync.Pool
	line   *line // nil = close the connection
	length int64 // length of the whole body; -1 = unknown
}

func (b *oneShotBody) Close() error {
	if b.wire == nil {
		return nil
	}
	defer func() {
		b.wire.limited.R = nil
		b.wires.Put(b.wire)
		b.wire = nil
	}()
	if b.line == nil || !b.finish() {
		return linger(b.ctx, b.conn, b.ReadCloser)
	}
	b.line.put(b.conn, b.fresh)
	return nil
}

// finish reads the rest of the response, and reports whether the connection can be used
// again.
func (b *oneShotBody) finish() bool {
	waits := b.length < 0 || b.length > int64(b.wire.in.Buffered())
	if waits {
		b.conn.SetReadDeadline(time.Now().Add(lingerFor))
	}
	n, err := io.Copy(io.Discard, io.LimitReader(b.ReadCloser, lingerBytes+1))
	if err != nil || n > lingerBytes || b.wire.in.Buffered() > 0 || !guardOf(b.conn).stop() {
		return false
	}
	return !waits || b.conn.SetReadDeadline(time.Time{}) == nil
}

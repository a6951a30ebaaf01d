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

// oneShot is an [http.RoundTripper] that makes a connection for one request.
// Unlike [http.Transport] it starts no goroutine that could outlive the probe,
// and it knows whether it was the connection or the answer that failed. It goes
// to its upstream, whatever host the request's URL has.
type oneShot struct {
	prober   *httpProber
	upstream *balancer.Upstream
	line     *line // keeps the connection; nil = it is closed
}

func (o *oneShot) RoundTrip(req *http.Request) (*http.Response, error) {
	conn, err := o.prober.dialer.dial(req.Context(), o.upstream)
	if err != nil {
		return nil, err
	}
	return o.prober.exchange(conn, req, o.line, true)
}

// exchange sends a request over a connection, which the closing of the
// response's body ends, or gives to the line if that is not nil and keeps it.
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

// wire is the buffers of an exchange.
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

// readResponse reads the final response's header; informational ones before it
// (RFC 9110, section 15.2) are passed over.
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
			w.limited.N = math.MaxInt64 // whoever reads the body has limits of its own
			return resp, nil
		}
	}
}

// oneShotBody ends the connection with the body, or keeps it.
type oneShotBody struct {
	io.ReadCloser
	ctx    context.Context
	conn   net.Conn
	fresh  bool // the connection is a new one
	wire   *wire
	wires  *sync.Pool
	line   *line // nil = the connection is closed
	length int64 // of the whole body; -1 = not known
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

// finish reads what is left of the response and reports whether the connection
// is good for another.
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

package health

import (
	"bufio"
	"context"
	"io"
	"math"
	"net"
	"net/http"

	"github.com/goodgate/goodgate/balancer"
)

// maxHeader bounds the bytes of a response header.
const maxHeader = 64 << 10

// oneShot is an [http.RoundTripper] that makes a connection for one request.
// Unlike [http.Transport] it starts no goroutine that could outlive the probe,
// and it knows whether it was the connection or the answer that failed. It goes
// to its upstream, whatever host the request's URL has.
type oneShot struct {
	dialer   dialer
	upstream *balancer.Upstream
}

func (o *oneShot) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	conn, err := o.dialer.dial(ctx, o.upstream)
	if err != nil {
		return nil, err
	}
	if err := req.Write(conn); err != nil {
		conn.Close()
		return nil, exchangeError(ctx, "sending the request", err)
	}
	resp, err := readResponse(conn, req)
	if err != nil {
		conn.Close()
		return nil, exchangeError(ctx, "reading the response", err)
	}
	resp.Body = &oneShotBody{ReadCloser: resp.Body, ctx: ctx, conn: conn}
	return resp, nil
}

// readResponse reads the final response's header; informational ones before it
// (RFC 9110, section 15.2) are passed over.
func readResponse(conn io.Reader, req *http.Request) (*http.Response, error) {
	limited := &io.LimitedReader{R: conn, N: maxHeader}
	r := bufio.NewReader(limited)
	for {
		resp, err := http.ReadResponse(r, req)
		if err != nil && limited.N <= 0 {
			return nil, wrong("response header is longer than %d bytes", maxHeader)
		}
		if err != nil {
			return nil, err
		}
		if resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols {
			limited.N = math.MaxInt64 // whoever reads the body has limits of its own
			return resp, nil
		}
	}
}

// oneShotBody ends the connection with the body.
type oneShotBody struct {
	io.ReadCloser
	ctx  context.Context
	conn net.Conn
}

func (b *oneShotBody) Close() error { return linger(b.ctx, b.conn, b.ReadCloser) }

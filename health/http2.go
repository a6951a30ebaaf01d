package health

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/wire/h2frame"
)

// http2Caller makes one exchange over its own HTTP/2 connection, with the standard
// library.
type http2Caller struct {
	dialer    dialer
	transport *http.Transport // speaks HTTP/2 on given connections; dials and keeps none
}

func newHTTP2Caller(at Target, t *tls.Config, preface []byte) *http2Caller {
	c := &http2Caller{
		dialer: newDialer(at, t, preface, "h2"),
		transport: &http.Transport{
			Protocols:              new(http.Protocols),
			DialContext:            dialed,
			MaxResponseHeaderBytes: maxHeader,
			DisableCompression:     true,
		},
	}
	c.transport.Protocols.SetUnencryptedHTTP2(true)
	return c
}

// connKey is the context's key for the connection that dialed returns.
type connKey struct{}

func dialed(ctx context.Context, _, _ string) (net.Conn, error) {
	conn, ok := ctx.Value(connKey{}).(net.Conn)
	if !ok {
		return nil, errors.New("a probe has one connection only")
	}
	return conn, nil
}

// do sends a request and sets its scheme. doing names the request in errors. Closing the
// response's body closes the connection.
func (c *http2Caller) do(req *http.Request, u *balancer.Upstream, doing string) (*http.Response, error) {
	ctx := req.Context()
	conn, err := c.dialer.dial(ctx, u)
	if err != nil {
		return nil, err
	}
	if t, ok := conn.(*tls.Conn); ok && t.ConnectionState().NegotiatedProtocol != "h2" {
		conn.Close()
		return nil, wrong("tls handshake did not agree on HTTP/2 (ALPN protocol %q)", t.ConnectionState().NegotiatedProtocol)
	}
	heard := received(conn)
	before := heard.Load()
	failed := func(doing string, err error) error {
		conn.Close()
		if heard.Load() == before { // the transport does not always report a broken connection
			return &Error{Result: balancer.Silent, Reason: exchangeReason(ctx, err), Err: during(ctx, doing, err)}
		}
		return exchangeError(ctx, doing, err)
	}
	req.URL.Scheme = "http"
	if c.dialer.target.tls(u) {
		req.URL.Scheme = "https"
	}
	// For net/http the connection has no TLS: the dialer has made it.
	client, err := c.transport.NewClientConn(context.WithValue(ctx, connKey{}, h2frame.NewGuard(conn)), "http", "upstream:0")
	if err != nil {
		return nil, failed("starting HTTP/2", err)
	}
	resp, err := client.RoundTrip(req)
	if err != nil {
		client.Close()
		return nil, failed(doing, err)
	}
	resp.Body = &http2Body{ReadCloser: resp.Body, client: client, conn: conn}
	return resp, nil
}

// http2Body closes the connection together with the body.
type http2Body struct {
	io.ReadCloser
	client *http.ClientConn
	conn   net.Conn
}

func (b *http2Body) Close() error {
	b.ReadCloser.Close()
	b.client.Close()
	return b.conn.Close()
}

// http2Shot is [oneShot] over HTTP/2.
type http2Shot struct {
	caller   *http2Caller
	upstream *balancer.Upstream
}

func (s http2Shot) RoundTrip(r *http.Request) (*http.Response, error) {
	out := new(*r)
	out.URL = new(*r.URL)
	out.Close = false
	return s.caller.do(out, s.upstream, "asking by HTTP/2")
}

package health

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/goodgate/goodgate/balancer"
)

// maxReply bounds the bytes of a gRPC reply; a health reply has 7.
const maxReply = 4 << 10

// GRPCOptions say what a gRPC probe asks.
type GRPCOptions struct {
	Service string      // empty = the whole server
	Host    string      // :authority; empty = the upstream's name or address, localhost for a unix socket
	TLS     *tls.Config // how upstreams reached by TLS are trusted; nil = the zero value, an empty ServerName = the upstream's
}

// grpcProber probes by the gRPC health checking protocol, version 1
// (https://github.com/grpc/grpc/blob/master/doc/health-checking.md), over the
// standard library's HTTP/2: one call with one small message each way does not
// need a gRPC implementation.
type grpcProber struct {
	dialer    dialer
	host      string
	request   []byte
	transport *http.Transport // makes HTTP/2 of connections; dials and keeps none
}

// NewGRPC returns a [Prober] that calls grpc.health.v1.Health/Check. It passes
// when the answer is SERVING; NOT_SERVING says that the upstream drains.
func NewGRPC(o GRPCOptions) Prober {
	p := &grpcProber{
		dialer:  newDialer(o.TLS, "h2"),
		host:    o.Host,
		request: appendCheckRequest(nil, o.Service),
		transport: &http.Transport{
			Protocols:              new(http.Protocols),
			DialContext:            dialed,
			DialTLSContext:         dialed,
			MaxResponseHeaderBytes: maxHeader,
			DisableCompression:     true,
		},
	}
	p.transport.Protocols.SetUnencryptedHTTP2(true)
	p.transport.Protocols.SetHTTP2(true)
	return p
}

// connKey is the context's key for the connection that dialed hands out.
type connKey struct{}

func dialed(ctx context.Context, _, _ string) (net.Conn, error) {
	conn, ok := ctx.Value(connKey{}).(net.Conn)
	if !ok {
		return nil, errors.New("a probe has one connection only")
	}
	return conn, nil
}

// Probe implements [Prober].
func (p *grpcProber) Probe(ctx context.Context, u *balancer.Upstream) error {
	conn, err := p.dialer.dial(ctx, u)
	if err != nil {
		return err
	}
	defer conn.Close()
	if c, ok := conn.(*tls.Conn); ok && c.ConnectionState().NegotiatedProtocol != "h2" {
		return wrong("tls handshake did not agree on HTTP/2 (ALPN protocol %q)", c.ConnectionState().NegotiatedProtocol)
	}
	heard := received(conn)
	before := heard.Load()
	failed := func(doing string, err error) error {
		if heard.Load() == before { // the transport does not always tell that the connection broke
			return &Error{Result: balancer.Silent, Err: reason(ctx, doing, err)}
		}
		return exchangeError(ctx, doing, err)
	}
	req := p.call(ctx, u)
	client, err := p.transport.NewClientConn(context.WithValue(ctx, connKey{}, conn), req.URL.Scheme, "upstream:0")
	if err != nil {
		return failed("starting HTTP/2", err)
	}
	defer client.Close()
	resp, err := client.RoundTrip(req)
	if err != nil {
		return failed("calling grpc.health.v1.Health/Check", err)
	}
	defer resp.Body.Close()
	return p.judge(ctx, resp)
}

func (p *grpcProber) call(ctx context.Context, u *balancer.Upstream) *http.Request {
	scheme := "http"
	if u.TLS() {
		scheme = "https"
	}
	req := &http.Request{
		Method: http.MethodPost,
		URL:    &url.URL{Scheme: scheme, Host: "upstream", Path: "/grpc.health.v1.Health/Check"},
		Host:   cmp.Or(p.host, authority(u)),
		Header: http.Header{
			"Content-Type": {"application/grpc"},
			"Te":           {"trailers"},
			"User-Agent":   {userAgent},
		},
		Body:          io.NopCloser(bytes.NewReader(p.request)),
		ContentLength: int64(len(p.request)),
	}
	return req.WithContext(ctx)
}

// judge reads the reply. The call's status is in the trailer, or in the header
// when there is no message.
func (p *grpcProber) judge(ctx context.Context, resp *http.Response) error {
	if resp.StatusCode != http.StatusOK {
		return wrong("http status %d in answer to a grpc call", resp.StatusCode)
	}
	if t := resp.Header.Get("Content-Type"); !strings.HasPrefix(t, "application/grpc") {
		return wrong("content type %q in answer to a grpc call", t)
	}
	message, err := io.ReadAll(io.LimitReader(resp.Body, maxReply+1))
	if err != nil {
		return exchangeError(ctx, "reading the grpc reply", err)
	}
	if len(message) > maxReply {
		return wrong("grpc reply is longer than %d bytes", maxReply)
	}
	status := cmp.Or(resp.Header.Get("Grpc-Status"), resp.Trailer.Get("Grpc-Status"))
	text := cmp.Or(resp.Header.Get("Grpc-Message"), resp.Trailer.Get("Grpc-Message"))
	if err := callStatus(status, text); err != nil {
		return err
	}
	serving, err := parseCheckReply(message)
	if err != nil {
		return wrong("grpc reply: %w", err)
	}
	switch serving {
	case serviceServing:
		return nil
	case serviceNotServing:
		return drains("grpc service is %v: it drains", serving)
	}
	return wrong("grpc service is %v", serving)
}

// callStatus returns an error unless the gRPC status code is OK.
func callStatus(code, text string) error {
	n, err := strconv.Atoi(code)
	switch {
	case err != nil:
		return wrong("grpc status %q is not a number", code)
	case n == 0:
		return nil
	case n == 5:
		return wrong("grpc status 5 (NOT_FOUND): the health service does not know this service: %q", text)
	case n == 12:
		return wrong("grpc status 12 (UNIMPLEMENTED): the upstream has no health service: %q", text)
	}
	return wrong("grpc status %d: %q", n, text)
}

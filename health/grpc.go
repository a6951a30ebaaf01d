package health

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/goodgate/goodgate/balancer"
)

// maxReply bounds the bytes of a gRPC reply; a health reply has 7.
const maxReply = 4 << 10

// GRPCOptions configure a gRPC probe.
type GRPCOptions struct {
	Service string      // service to ask for; empty = the whole server
	Host    string      // :authority; empty = the upstream's name or address, localhost for a unix socket
	TLS     *tls.Config // settings for upstreams with TLS; nil = the zero value; an empty ServerName = the upstream's
	Preface []byte      // bytes to send first on each connection, before TLS; nil = none
	Target  Target      // destination of the probe; another port gets no Preface
}

// grpcProber uses the gRPC health checking protocol, version 1
// (https://github.com/grpc/grpc/blob/master/doc/health-checking.md), over the standard
// library's HTTP/2. One call with one small message each way does not need a gRPC
// implementation.
type grpcProber struct {
	caller  *http2Caller
	host    string
	request []byte
}

// NewGRPC returns a [Prober] that calls grpc.health.v1.Health/Check. A probe passes if
// the answer is SERVING.
func NewGRPC(o GRPCOptions) Prober {
	preface := o.Preface
	if o.Target.apart() {
		preface = nil
	}
	p := &grpcProber{caller: newHTTP2Caller(o.Target, o.TLS, preface), host: o.Host, request: appendCheckRequest(nil, o.Service)}
	return newApart(o.Target, p, TCP{TLS: o.TLS, Preface: o.Preface})
}

// Probe implements [Prober].
func (p *grpcProber) Probe(ctx context.Context, u *balancer.Upstream) error {
	resp, err := p.caller.do(p.call(ctx, u), u, "calling grpc.health.v1.Health/Check")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	p.caller.dialer.target.answered(u)
	return p.judge(ctx, resp)
}

func (p *grpcProber) call(ctx context.Context, u *balancer.Upstream) *http.Request {
	req := &http.Request{
		Method: http.MethodPost,
		URL:    &url.URL{Host: "upstream", Path: "/grpc.health.v1.Health/Check"},
		Host:   cmp.Or(p.host, u.Authority()),
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

// judge reads the reply. The call's status is in the trailer, or in the header of a reply
// without a message.
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

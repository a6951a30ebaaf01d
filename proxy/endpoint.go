package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/wire/dualstack"
)

// endpoint is the way to one upstream. It has its own transport, so that its connections
// can be closed when the upstream leaves.
type endpoint struct {
	spec      balancer.Spec
	at        *dualstack.Host
	opts      *PoolOptions
	scheme    string
	host      string // in the URL and, with HostUpstream, in the Host header
	refusals  refusals
	preface   []byte // the bytes that begin each connection, before TLS
	tls       *tls.Config
	transport transport
}

// continueTimeout is how long a client that expects a 100 Continue (RFC 9110, section
// 10.1.1) waits for the upstream.
const continueTimeout = time.Second

func newEndpoint(s balancer.Spec, o *PoolOptions) *endpoint {
	e := describe(s, o)
	e.transport = e.newTransport()
	return e
}

// describe returns an endpoint without a transport.
func describe(s balancer.Spec, o *PoolOptions) *endpoint {
	e := &endpoint{spec: s, opts: o, scheme: "http", host: s.Authority()}
	e.at = &dualstack.Host{Addr: s.Addr, Other: s.Other}
	if s.TLS {
		e.scheme = "https"
		e.tls = e.newTLS()
	}
	return e
}

// IdleConns returns the number of idle connections to an upstream of a [Pool].
func IdleConns(u *balancer.Upstream) int { return endpointOf(u).transport.Idle() }

// connect opens a connection. Its error has the reason.
func (e *endpoint) connect(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, e.opts.Timeouts.Dial)
	defer cancel()
	c, err := e.at.Connect(ctx, e.opts.Dial)
	if err != nil {
		return nil, &Error{Reason: dialReason(err), Upstream: e.spec.Addr, Err: err}
	}
	if len(e.preface) == 0 {
		return c, nil
	}
	if _, err := c.Write(e.preface); err != nil { // the socket buffer takes it without waiting
		c.Close()
		return nil, &Error{Reason: dialReason(err), Upstream: e.spec.Addr, Err: fmt.Errorf("writing the PROXY protocol's header: %w", err)}
	}
	return c, nil
}

// dial opens a connection and does the TLS handshake if the upstream uses TLS. It offers
// protos in ALPN.
func (e *endpoint) dial(ctx context.Context, protos ...string) (net.Conn, error) {
	raw, err := e.connect(ctx)
	if err != nil || !e.spec.TLS {
		return raw, err
	}
	cfg := e.tls
	if len(protos) > 0 {
		cfg = cfg.Clone() // the clone shares the session cache
		cfg.NextProtos = protos
	}
	ctx, cancel := context.WithTimeout(ctx, e.opts.Timeouts.TLS)
	defer cancel()
	c := tls.Client(raw, cfg)
	if err := c.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, &Error{Reason: tlsReason(err), Upstream: e.spec.Addr, Err: whichCertificate(err)}
	}
	return c, nil
}

// newTLS returns the TLS configuration for the upstream. A new connection resumes the
// session of an earlier one (RFC 8446, section 2.2). That saves the upstream a signature,
// and both sides the certificates. The cache holds one session, which the upstream
// renews. It belongs to the endpoint, so other settings start other sessions.
func (e *endpoint) newTLS() *tls.Config {
	c := &tls.Config{}
	if e.opts.TLS != nil {
		c = e.opts.TLS.Clone()
	}
	if c.ServerName == "" {
		c.ServerName = strings.Trim(e.host, "[]")
		if host, _, err := net.SplitHostPort(e.host); err == nil {
			c.ServerName = host
		}
	}
	if c.ClientSessionCache == nil {
		c.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	}
	return c
}

// errDeadline is the cause of a context that ends at the request's deadline, and
// errPerTry at the deadline of one attempt.
var (
	errDeadline = errors.New("the request's deadline has passed")
	errPerTry   = errors.New("the try's deadline has passed")
)

// ErrShuttingDown is the cause to give when you cancel a request's context because the
// server shuts down. The request then ends with [reason.ShuttingDown] instead of
// [reason.ClientGone]. Use it to cancel the context that [http.Server.BaseContext]
// returns.
var ErrShuttingDown = errors.New("goodgate is shutting down")

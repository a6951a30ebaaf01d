package health

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/wire/dualstack"
)

const (
	// lingerFor and lingerBytes bound how long, and how many bytes, a probe reads before
	// it closes a connection. A close with unread data resets the connection; some
	// servers log that, and some count it against the client.
	lingerFor   = 100 * time.Millisecond
	lingerBytes = 64 << 10
)

// dialer makes a connection for one probe.
type dialer struct {
	target  Target
	tls     *tls.Config    // for upstreams with TLS
	preface []byte         // sent first on each connection, before TLS
	connect dualstack.Dial // makes connections; nil = a net.Dialer
}

// newDialer returns a dialer with its own copy of c; nil is the zero value. It does not
// resume sessions, because that skips the check of the certificate.
func newDialer(t Target, c *tls.Config, preface []byte, protos ...string) dialer {
	if c == nil {
		c = &tls.Config{}
	}
	c = c.Clone()
	c.ClientSessionCache = nil
	if len(protos) > 0 {
		c.NextProtos = protos
	}
	return dialer{target: t, tls: c, preface: preface}
}

// dial connects to u. The connection fails when ctx ends. If u uses TLS, the connection
// is a *tls.Conn after its handshake.
func (d dialer) dial(ctx context.Context, u *balancer.Upstream) (net.Conn, error) {
	at := dualstack.Host{Addr: d.target.of(u.Addr()), Other: d.target.of(u.Other())}
	connect := d.connect
	if connect == nil {
		connect = (&net.Dialer{KeepAlive: -1}).DialContext
	}
	raw, err := at.Connect(ctx, connect)
	if err != nil {
		return nil, dialError(ctx, err)
	}
	guarded := guard(ctx, raw)
	if len(d.preface) > 0 {
		if _, err := guarded.Write(d.preface); err != nil {
			guarded.Close()
			return nil, &Error{Result: balancer.Silent, Reason: exchangeReason(ctx, err), Err: during(ctx, "writing the PROXY protocol's header", err)}
		}
	}
	if !d.target.tls(u) {
		return guarded, nil
	}
	conn := tls.Client(guarded, d.config(u))
	if err := conn.Handshake(); err != nil {
		guarded.Close()
		return nil, &Error{Result: balancer.Silent, Reason: tlsReason(ctx, err), Err: during(ctx, "tls handshake", err)}
	}
	return conn, nil
}

func (d dialer) config(u *balancer.Upstream) *tls.Config {
	if d.tls.ServerName != "" {
		return d.tls
	}
	c := d.tls.Clone()
	c.ServerName = hostname(u.Authority())
	return c
}

// hostname returns hostport without a port.
func hostname(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return strings.Trim(hostport, "[]")
}

// guardedConn is a connection that fails when a context ends, and counts its bytes.
type guardedConn struct {
	net.Conn
	stop     func() bool
	received atomic.Int64
	sent     atomic.Int64

	mu      sync.Mutex
	watched int // guarded by mu; number of watched contexts: only the last one may end the connection
}

func (g *guardedConn) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	g.received.Add(int64(n))
	return n, err
}

func (g *guardedConn) Write(p []byte) (int, error) {
	n, err := g.Conn.Write(p)
	g.sent.Add(int64(n))
	return n, err
}

// received returns the counter of received bytes of a connection made by dial.
func received(c net.Conn) *atomic.Int64 {
	return &guardOf(c).received
}

// guardOf returns the guard of a connection made by dial.
func guardOf(c net.Conn) *guardedConn {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	return c.(*guardedConn)
}

func guard(ctx context.Context, c net.Conn) *guardedConn {
	g := &guardedConn{Conn: c}
	g.watch(ctx)
	return g
}

// watch makes the connection fail when ctx ends, until stop.
func (g *guardedConn) watch(ctx context.Context) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.watched++
	this := g.watched
	g.stop = context.AfterFunc(ctx, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.watched == this {
			g.Conn.SetDeadline(time.Unix(1, 0))
		}
	})
}

// release ends the watch and reverts its effect if the context has ended: the connection
// can be used and watched again.
func (g *guardedConn) release() error {
	g.stop()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.watched++
	return g.Conn.SetDeadline(time.Time{})
}

func (g *guardedConn) Close() error {
	g.stop()
	return g.Conn.Close()
}

func (g *guardedConn) CloseWrite() error {
	if w, ok := g.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return nil
}

// linger reads the rest within the bounds, and closes c.
func linger(ctx context.Context, c net.Conn, rest io.Reader) error {
	if ctx.Err() == nil {
		c.SetReadDeadline(time.Now().Add(lingerFor))
		io.Copy(io.Discard, io.LimitReader(rest, lingerBytes))
	}
	return c.Close()
}

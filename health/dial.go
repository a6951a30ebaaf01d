package health

import (
	"cmp"
	"context"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"time"

	"github.com/goodgate/goodgate/balancer"
)

const (
	// lingerFor and lingerBytes bound how much of what the upstream still sends
	// is read before a connection is closed. Closing with unread data resets it,
	// which some servers log, and some count against the client.
	lingerFor   = 100 * time.Millisecond
	lingerBytes = 64 << 10
)

// dialer makes a connection for one probe.
type dialer struct {
	tls  *tls.Config // nil = plain
	name string      // the certificate's name when tls has none; empty = the address's host
}

// newDialer returns a dialer with its own copy of c. Sessions are not resumed,
// because that skips the check of the certificate.
func newDialer(c *tls.Config, host string, protos ...string) dialer {
	if c != nil {
		c = c.Clone()
		c.NextProtos = protos
		c.ClientSessionCache = nil
	}
	return dialer{tls: c, name: hostname(host)}
}

// dial connects to addr (host:port or unix:/path). The connection fails when
// ctx ends. With TLS it is a *tls.Conn after its handshake.
func (d dialer) dial(ctx context.Context, addr string) (net.Conn, error) {
	network, address := "tcp", addr
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		network, address = "unix", path
	}
	raw, err := (&net.Dialer{KeepAlive: -1}).DialContext(ctx, network, address)
	if err != nil {
		return nil, dialError(ctx, err)
	}
	guarded := guard(ctx, raw)
	if d.tls == nil {
		return guarded, nil
	}
	conn := tls.Client(guarded, d.config(addr))
	if err := conn.Handshake(); err != nil {
		guarded.Close()
		return nil, &Error{Result: balancer.Silent, Err: reason(ctx, "tls handshake", err)}
	}
	return conn, nil
}

func (d dialer) config(addr string) *tls.Config {
	if d.tls.ServerName != "" {
		return d.tls
	}
	c := d.tls.Clone()
	c.ServerName = cmp.Or(d.name, hostname(authority(addr)))
	return c
}

// authority returns what stands for addr in a Host header.
func authority(addr string) string {
	if strings.HasPrefix(addr, "unix:") {
		return "localhost"
	}
	return addr
}

// hostname returns hostport without its port, if it has one.
func hostname(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return strings.Trim(hostport, "[]")
}

// guardedConn is a connection that fails when a context ends.
type guardedConn struct {
	net.Conn
	stop func() bool
}

func guard(ctx context.Context, c net.Conn) *guardedConn {
	return &guardedConn{Conn: c, stop: context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })}
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

// linger reads what rest still holds, within bounds, and closes c.
func linger(ctx context.Context, c net.Conn, rest io.Reader) error {
	if ctx.Err() == nil {
		c.SetReadDeadline(time.Now().Add(lingerFor))
		io.Copy(io.Discard, io.LimitReader(rest, lingerBytes))
	}
	return c.Close()
}

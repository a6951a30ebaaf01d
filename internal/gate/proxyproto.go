package gate

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/pires/go-proxyproto"

	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/limit"
)

// proxied returns a listener whose connections from some networks begin with
// the PROXY protocol, and have the client's address from it. Everyone else's
// are taken as they are. A header has to come in the time for the request's.
func proxied(l net.Listener, c config.Listener) net.Listener {
	if len(c.Proxied) == 0 {
		return l
	}
	return proxiedListener{&proxyproto.Listener{
		Listener:          l,
		ReadHeaderTimeout: min(c.Timeouts.Header, 10*time.Second),
		ConnPolicy: func(o proxyproto.ConnPolicyOptions) (proxyproto.Policy, error) {
			if within(c.Proxied, o.Upstream) {
				return proxyproto.REQUIRE, nil
			}
			return proxyproto.SKIP, nil
		},
	}}
}

// foreign returns which connections are other clients' than the peer's; nil when
// none are.
func foreign(c config.Listener) func(net.Addr) bool {
	if len(c.Proxied) == 0 {
		return nil
	}
	return func(a net.Addr) bool { return within(c.Proxied, a) }
}

// proxiedListener makes the connections of go-proxyproto what goodgate needs.
type proxiedListener struct{ *proxyproto.Listener }

func (l proxiedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if p, ok := c.(*proxyproto.Conn); ok {
		return &proxiedConn{Conn: p}, err
	}
	return c, err
}

// proxiedConn is a connection that tells whose it is.
type proxiedConn struct {
	*proxyproto.Conn
	once    sync.Once
	refused bool
}

// errTooMany says that the client has too many connections.
var errTooMany = errors.New("connections_per_client: the client has as many connections as it may")

// Read counts the connection for its client before the first byte.
func (c *proxiedConn) Read(p []byte) (int, error) {
	c.once.Do(func() {
		if h := c.ProxyHeader(); h != nil && !h.Command.IsLocal() {
			c.refused = !limit.CountFor(c.Raw(), c.RemoteAddr())
		}
	})
	if c.refused {
		return 0, errTooMany
	}
	return c.Conn.Read(p)
}

// RemoteAddr returns the client's address. Of a client that has none for the
// network, such as one on a unix socket of the peer's machine, it is the peer's:
// it has not come over a socket of this machine.
func (c *proxiedConn) RemoteAddr() net.Addr {
	return onNetwork(c.Conn.RemoteAddr(), c.Raw().RemoteAddr())
}

// LocalAddr returns the address that the client has connected to.
func (c *proxiedConn) LocalAddr() net.Addr { return onNetwork(c.Conn.LocalAddr(), c.Raw().LocalAddr()) }

// onNetwork returns what the header says, if that is an address of the network.
func onNetwork(said, real net.Addr) net.Addr {
	switch said.(type) {
	case *net.TCPAddr, *net.UDPAddr:
		return said
	}
	return real
}

// CloseWrite says that nothing more comes from this side, which may read on.
func (c *proxiedConn) CloseWrite() error {
	if half, ok := c.Raw().(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Close()
}

// within reports whether an address is in one of the networks.
func within(networks []netip.Prefix, a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return false
	}
	ip, _ := netip.AddrFromSlice(tcp.IP)
	return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(ip.Unmap()) })
}

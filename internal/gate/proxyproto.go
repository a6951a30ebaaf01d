package gate

import (
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/pires/go-proxyproto"

	"github.com/goodgate/goodgate/internal/config"
)

// proxied returns a listener whose connections from some networks begin with
// the PROXY protocol, and have the client's address from it. Everyone else's
// are taken as they are. A header has to come in the time for the request's.
func proxied(l net.Listener, c config.Listener) net.Listener {
	if len(c.Proxied) == 0 {
		return l
	}
	return halfClosing{&proxyproto.Listener{
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

// halfClosing gives connections what go-proxyproto's lack.
type halfClosing struct{ *proxyproto.Listener }

func (l halfClosing) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if p, ok := c.(*proxyproto.Conn); ok {
		return halfConn{p}, err
	}
	return c, err
}

type halfConn struct{ *proxyproto.Conn }

// CloseWrite says that nothing more comes from this side, which may read on.
func (c halfConn) CloseWrite() error {
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

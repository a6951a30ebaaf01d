package gate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
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
// are taken as they are. A header has to come in the time for the request's. What
// has none is refused, and told to the log.
func proxied(l net.Listener, c config.Listener, log *slog.Logger) net.Listener {
	if len(c.Proxied) == 0 {
		return l
	}
	told := &refusedPeers{log: log.With("listener", c.Address)}
	return proxiedListener{told: told, Listener: &proxyproto.Listener{
		Listener:          inOneListener{l, c.Proxied},
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
type proxiedListener struct {
	*proxyproto.Listener
	told *refusedPeers
}

func (l proxiedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if p, ok := c.(*proxyproto.Conn); ok {
		return &proxiedConn{Conn: p, told: l.told}, err
	}
	return c, err
}

// proxiedConn is a connection that tells whose it is.
type proxiedConn struct {
	*proxyproto.Conn
	told    *refusedPeers
	once    sync.Once
	refused bool
}

// errTooMany says that the client has too many connections.
var errTooMany = errors.New("connections_per_client: the client has as many connections as it may")

// Read counts the connection for its client before the first byte.
func (c *proxiedConn) Read(p []byte) (int, error) {
	c.once.Do(func() {
		h := c.ProxyHeader()
		if h == nil {
			c.tellRefused()
		} else if !h.Command.IsLocal() {
			c.refused = !limit.CountFor(c.Raw(), c.RemoteAddr())
		}
	})
	if c.refused {
		return 0, errTooMany
	}
	return c.Conn.Read(p)
}

// tellRefused has the log tell why a peer's header was not taken. A peer that sends
// nothing, as load balancers do to see whether somebody listens, has no word.
func (c *proxiedConn) tellRefused() {
	if begun, ok := c.Conn.Raw().(*inOneConn); ok && begun.n == 0 {
		return
	}
	_, err := c.Conn.Read(nil) // says it again
	c.told.tell(c.Raw().RemoteAddr(), err)
}

// Raw returns the connection as it was accepted.
func (c *proxiedConn) Raw() net.Conn {
	if in, ok := c.Conn.Raw().(*inOneConn); ok {
		return in.Conn
	}
	return c.Conn.Raw()
}

// refusedPeers tells of connections that were closed for want of a header: one line
// a second, however many there are.
type refusedPeers struct {
	log    *slog.Logger
	mu     sync.Mutex // mu protects the fields below.
	last   time.Time
	untold int
}

func (r *refusedPeers) tell(peer net.Addr, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if now.Sub(r.last) < time.Second {
		r.untold++
		return
	}
	r.log.Warn("connection closed: a peer in proxy_protocol sent no valid PROXY protocol header",
		"peer", peer.String(), "error", fmt.Sprint(err), "others", r.untold)
	r.last, r.untold = now, 0
}

// maxV1 is the longest header of version 1.
const maxV1 = 107

// inOneListener makes connections of the peers in networks return a header of
// version 1 by one Read: go-proxyproto takes no other. The specification (section 2)
// recommends to take one that comes in pieces.
type inOneListener struct {
	net.Listener
	peers []netip.Prefix
}

func (l inOneListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil || !within(l.peers, c.RemoteAddr()) {
		return c, err
	}
	return &inOneConn{Conn: c}, nil
}

type inOneConn struct {
	net.Conn
	n    int  // bytes that the first Read has brought
	past bool // the first Read
}

// Read waits, the first time, for the whole line of version 1. The deadline for the
// header is that of the connection.
func (c *inOneConn) Read(p []byte) (int, error) {
	if c.past {
		return c.Conn.Read(p)
	}
	c.past = true
	for c.n < len(p) {
		n, err := c.Conn.Read(p[c.n:])
		c.n += n
		if err != nil && c.n == 0 {
			return 0, err
		}
		if err != nil || !unfinishedV1(p[:c.n]) {
			break // the next Read brings the error again
		}
	}
	return c.n, nil
}

// ReadFrom sends what comes from r in the quickest way that there is.
func (c *inOneConn) ReadFrom(r io.Reader) (int64, error) { return io.Copy(c.Conn, r) }

// unfinishedV1 reports whether b may be the beginning of a header of version 1.
func unfinishedV1(b []byte) bool {
	const signature = "PROXY"
	n := min(len(b), len(signature))
	return string(b[:n]) == signature[:n] && len(b) < maxV1 && bytes.IndexByte(b, '\n') < 0
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

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

// proxied returns a listener that reads the PROXY protocol from connections of the
// configured networks, and takes the client's address from its header. It leaves all
// other connections unchanged. A header must arrive within the listener's header timeout,
// at most 10 s. The listener refuses a connection without a valid header, and logs that.
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

// foreign returns a function that reports whether a peer carries other clients'
// connections; nil when no peer does.
func foreign(c config.Listener) func(net.Addr) bool {
	if len(c.Proxied) == 0 {
		return nil
	}
	return func(a net.Addr) bool { return within(c.Proxied, a) }
}

// proxiedListener adapts the connections of go-proxyproto to goodgate.
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

// proxiedConn is a connection with the address of its client.
type proxiedConn struct {
	*proxyproto.Conn
	told    *refusedPeers
	once    sync.Once
	refused bool
}

// errTooMany means that the client has too many connections.
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

// tellRefused logs the error in a peer's header. It ignores a peer that sends nothing:
// load balancers connect in this way to check the port.
func (c *proxiedConn) tellRefused() {
	if begun, ok := c.Conn.Raw().(*inOneConn); ok && begun.n == 0 {
		return
	}
	_, err := c.Conn.Read(nil) // returns the error again
	c.told.tell(c.Raw().RemoteAddr(), err)
}

// Raw returns the accepted connection.
func (c *proxiedConn) Raw() net.Conn {
	if in, ok := c.Conn.Raw().(*inOneConn); ok {
		return in.Conn
	}
	return c.Conn.Raw()
}

// refusedPeers logs connections that were closed for lack of a valid header: at most one
// line a second.
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

// inOneListener collects the header of version 1 from peers in the networks, and returns
// it from one Read. go-proxyproto accepts no header in pieces, although the specification
// (section 2) recommends that.
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
	n    int  // bytes that the first Read has returned
	past bool // the first Read is over
}

// Read collects, the first time, a whole line of version 1. The connection's deadline
// bounds the wait.
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

// ReadFrom sends the bytes of r in the fastest way that the connection offers.
func (c *inOneConn) ReadFrom(r io.Reader) (int64, error) { return io.Copy(c.Conn, r) }

// unfinishedV1 reports whether b can be the beginning of a header of version 1.
func unfinishedV1(b []byte) bool {
	const signature = "PROXY"
	n := min(len(b), len(signature))
	return string(b[:n]) == signature[:n] && len(b) < maxV1 && bytes.IndexByte(b, '\n') < 0
}

// RemoteAddr returns the client's address. A client without a network address, for
// example on a unix socket of the peer's machine, gets the peer's address, because it has
// not connected to a socket of this machine.
func (c *proxiedConn) RemoteAddr() net.Addr {
	return onNetwork(c.Conn.RemoteAddr(), c.Raw().RemoteAddr())
}

// LocalAddr returns the address that the client has connected to.
func (c *proxiedConn) LocalAddr() net.Addr { return onNetwork(c.Conn.LocalAddr(), c.Raw().LocalAddr()) }

// onNetwork returns the address in the header if it is a network address, else the real
// one.
func onNetwork(said, real net.Addr) net.Addr {
	switch said.(type) {
	case *net.TCPAddr, *net.UDPAddr:
		return said
	}
	return real
}

// CloseWrite shuts down the sending side. Reads may continue.
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

package memnet

import (
	"cmp"
	"context"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// backlog is the number of dialed connections that may wait for Accept before a dial
// waits.
const backlog = 128

// firstPort is the first port for clients, and for listeners on port 0: the ephemeral
// range of RFC 6335, section 6.
const firstPort = 49152

// Network is a set of listeners that only its own DialContext reaches. Create it with
// [New].
type Network struct {
	mu sync.Mutex // mu protects the fields below.

	listeners map[string]*listener
	port      uint16
}

// New returns a network without listeners.
func New() *Network {
	return &Network{listeners: make(map[string]*listener), port: firstPort}
}

// Listen opens a listener on addr: "127.0.0.1:80", "app:80", ":80" (any host), port 0
// for a free port, or "unix:/path". It fails with syscall.EADDRINUSE while another
// listener has the address.
func (n *Network) Listen(addr string) (net.Listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	addr = strings.TrimPrefix(addr, "unix:")
	if host, ok := strings.CutSuffix(addr, ":0"); ok {
		addr = host + ":" + strconv.Itoa(int(n.nextPort()))
	}
	if _, taken := n.listeners[addr]; taken {
		return nil, opError("listen", nil, newAddr(addr), os.NewSyscallError("bind", syscall.EADDRINUSE))
	}
	l := &listener{network: n, key: addr, queue: make(chan *Conn, backlog), closed: make(chan struct{})}
	n.listeners[addr] = l
	return l, nil
}

// DialContext connects to the listener on addr. It compares addr as text, and then only
// the port (a listener on ":80"). It has the signature of net.Dialer.DialContext;
// network is "tcp", "tcp4", "tcp6" or "unix". The connection is a [*Conn].
//
// It fails with syscall.ECONNREFUSED without a listener, and with the error of ctx if
// ctx ends while the listener's queue is full. The errors are [*net.OpError].
func (n *Network) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	remote := newAddr(addr)
	if err := ctx.Err(); err != nil {
		return nil, opError("dial", nil, remote, err)
	}
	refused := opError("dial", nil, remote, os.NewSyscallError("connect", syscall.ECONNREFUSED))
	l, local := n.find(network, addr)
	if l == nil {
		return nil, refused
	}
	client, server := newPair(local, remote)
	select {
	case <-l.closed:
		return nil, refused
	case <-ctx.Done():
		return nil, opError("dial", nil, remote, ctx.Err())
	case l.queue <- server:
		l.drainIfClosed()
		return client, nil
	}
}

// find returns the listener on addr, nil if there is none, and an address for
// the client.
func (n *Network) find(network, addr string) (*listener, net.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.listeners[strings.TrimPrefix(addr, "unix:")]
	if strings.HasPrefix(network, "unix") {
		return l, &net.UnixAddr{Net: "unix"}
	}
	if _, port, err := net.SplitHostPort(addr); err == nil {
		l = cmp.Or(l, n.listeners[":"+port])
	}
	local := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), n.nextPort())
	return l, net.TCPAddrFromAddrPort(local)
}

func (n *Network) nextPort() uint16 {
	n.port = max(n.port+1, firstPort)
	return n.port
}

// listener is a net.Listener on a Network.
type listener struct {
	network *Network
	key     string
	queue   chan *Conn
	closed  chan struct{}
	once    sync.Once
}

// Accept waits for a connection, in the order of the dials. After Close it fails with
// net.ErrClosed.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case <-l.closed: // closing has priority over a queued connection
	default:
		select {
		case c := <-l.queue:
			return c, nil
		case <-l.closed:
		}
	}
	return nil, opError("accept", nil, l.Addr(), net.ErrClosed)
}

// Close ends Accept, refuses waiting and later dials, and resets the connections that
// were not accepted. Further calls return an error.
func (l *listener) Close() error {
	err := opError("close", nil, l.Addr(), net.ErrClosed)
	l.once.Do(func() {
		l.network.mu.Lock()
		delete(l.network.listeners, l.key)
		l.network.mu.Unlock()
		close(l.closed)
		l.drainIfClosed()
		err = nil
	})
	return err
}

// Addr returns the listener's address, with the chosen port.
func (l *listener) Addr() net.Addr { return newAddr(l.key) }

// drainIfClosed resets the queued connections of a closed listener. A dial calls it
// too, because its connection may have entered the queue after Close emptied it.
func (l *listener) drainIfClosed() {
	select {
	case <-l.closed:
	default:
		return
	}
	for {
		select {
		case c := <-l.queue:
			c.Reset()
		default:
			return
		}
	}
}

// hostAddr is the address of a listener with a host name.
type hostAddr string

func (a hostAddr) Network() string { return "tcp" }
func (a hostAddr) String() string  { return string(a) }

// newAddr returns addr with the type that the net package would use.
func newAddr(addr string) net.Addr {
	addr = strings.TrimPrefix(addr, "unix:")
	if strings.HasPrefix(addr, "/") {
		return &net.UnixAddr{Name: addr, Net: "unix"}
	}
	if ap, err := netip.ParseAddrPort(addr); err == nil {
		return net.TCPAddrFromAddrPort(ap)
	}
	return hostAddr(addr)
}

// opError returns err in the form of the net package. Its result is an error, not an
// *net.OpError, so that a caller can set it to nil.
func opError(op string, local, remote net.Addr, err error) error {
	return &net.OpError{Op: op, Net: remote.Network(), Source: local, Addr: remote, Err: err}
}

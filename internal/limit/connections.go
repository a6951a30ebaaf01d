package limit

import (
	"net"
	"net/netip"
	"sync"
)

// Connections bounds a listener's connections. One that comes when there are
// Max waits in the kernel's queue until another ends; one that comes from a
// client that has PerClient is reset. IPv6 clients are told apart by their /64.
type Connections struct {
	Max       int            // 0 = no bound
	Waits     func(bool)     // told when one begins to wait for Max (true), and when that is over; may be nil
	Room      *Room          // that it shares with other listeners; nil = no bound
	PerClient int            // 0 = no bound
	Refused   func(net.Addr) // told of a connection that was reset; may be nil

	// Foreign reports that the connections from an address are other clients':
	// they count once [CountFor] is told whose each is. nil = none are.
	Foreign func(net.Addr) bool
}

// Listen returns l with the bounds, or l itself when there are none.
func (c Connections) Listen(l net.Listener) net.Listener {
	if c.Max <= 0 && c.PerClient <= 0 && c.Room == nil {
		return l
	}
	b := &boundListener{Listener: l, opts: c, clients: map[netip.Addr]int{}, closed: make(chan struct{})}
	if c.Max > 0 {
		b.places = make(chan struct{}, c.Max)
	}
	return b
}

type boundListener struct {
	net.Listener
	opts   Connections
	places chan struct{} // holds as many as there are connections; nil = no bound
	once   sync.Once
	closed chan struct{}

	mu      sync.Mutex // protects clients
	clients map[netip.Addr]int
}

// Accept returns the next connection that is let in.
func (b *boundListener) Accept() (net.Conn, error) {
	if !b.opts.Room.take(b.closed) {
		return nil, net.ErrClosed
	}
	if b.places != nil && !place(b.places, b.closed, b.opts.Waits) {
		b.opts.Room.leave()
		return nil, net.ErrClosed
	}
	for {
		c, err := b.Listener.Accept()
		if err != nil {
			b.vacate()
			return nil, err
		}
		var client netip.Addr
		if a := c.RemoteAddr(); b.opts.PerClient > 0 && (b.opts.Foreign == nil || !b.opts.Foreign(a)) {
			client = clientOf(a)
		}
		if b.enter(client) {
			return &boundConn{Conn: c, listener: b, client: client}, nil
		}
		b.refuse(c, c.RemoteAddr())
	}
}

// refuse resets a connection.
func (b *boundListener) refuse(c net.Conn, client net.Addr) {
	if t, ok := c.(*net.TCPConn); ok {
		t.SetLinger(0)
	}
	c.Close()
	if b.opts.Refused != nil {
		b.opts.Refused(client)
	}
}

// CountFor counts an accepted connection for the client whose it has turned out
// to be, once. It reports whether the client may have it; one too many is reset.
func CountFor(c net.Conn, client net.Addr) bool {
	b, ok := c.(*boundConn)
	if !ok || b.listener.opts.PerClient <= 0 {
		return true // there is no bound
	}
	if b.count(clientOf(client)) {
		return true
	}
	b.listener.refuse(b.Conn, client)
	return false
}

// Close makes Accept return.
func (b *boundListener) Close() error {
	b.once.Do(func() { close(b.closed) })
	return b.Listener.Close()
}

func (b *boundListener) vacate() {
	b.opts.Room.leave()
	if b.places != nil {
		<-b.places
	}
}

func (b *boundListener) enter(client netip.Addr) bool {
	if !client.IsValid() {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.clients[client] >= b.opts.PerClient {
		return false
	}
	b.clients[client]++
	return true
}

func (b *boundListener) leave(client netip.Addr) {
	if !client.IsValid() {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.clients[client]--; b.clients[client] == 0 {
		delete(b.clients, client)
	}
}

// clientOf returns whose a connection is; invalid for a unix socket.
func clientOf(a net.Addr) netip.Addr {
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Addr{}
	}
	addr := ap.Addr().Unmap().WithZone("")
	if addr.Is6() {
		p, _ := addr.Prefix(64)
		return p.Addr()
	}
	return addr
}

type boundConn struct {
	net.Conn
	listener *boundListener

	mu     sync.Mutex // protects the fields below
	client netip.Addr // it counts for; invalid = nobody
	closed bool
}

// count makes the connection count for a client, if it may have another.
func (c *boundConn) count(client netip.Addr) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.client.IsValid() {
		return true
	}
	if !c.listener.enter(client) {
		return false
	}
	c.client = client
	return true
}

// Close ends the connection and makes room for another.
func (c *boundConn) Close() error {
	err := c.Conn.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.closed = true
		c.listener.leave(c.client)
		c.listener.vacate()
	}
	return err
}

// CloseWrite says that nothing more comes from this side, which may read on.
func (c *boundConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Close()
}

// NetConn returns the connection beneath, for its socket to be found.
func (c *boundConn) NetConn() net.Conn { return c.Conn }

// Direct returns the connection beneath, which may be read from and written to.
func (c *boundConn) Direct() net.Conn { return c.Conn }

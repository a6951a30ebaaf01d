package limit

import (
	"net"
	"net/netip"
	"sync"
)

// Connections limits a listener's connections. At Max, new connections wait in the
// kernel's queue until another one ends. A connection from a client that already has
// PerClient is reset. Clients with IPv6 addresses count by their /64.
type Connections struct {
	Max       int            // 0 = no limit
	Waits     func(bool)     // called when a connection begins to wait for Max (true), and when the wait ends; may be nil
	Room      *Room          // limit shared with other listeners; nil = none
	PerClient int            // 0 = no limit
	Refused   func(net.Addr) // called with the address of a reset connection; may be nil

	// Foreign reports that connections from an address belong to other clients. They
	// count once [CountFor] gets their client. nil = none do.
	Foreign func(net.Addr) bool
}

// Listen returns l with these limits, or l itself if there are none.
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
	places chan struct{} // one element per connection; nil = no limit
	once   sync.Once
	closed chan struct{}

	mu      sync.Mutex // protects clients
	clients map[netip.Addr]int
}

// Accept returns the next admitted connection.
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

// CountFor counts an accepted connection for its client, once the client is known. It
// reports whether the client may have it; otherwise the connection is reset.
func CountFor(c net.Conn, client net.Addr) bool {
	b, ok := c.(*boundConn)
	if !ok || b.listener.opts.PerClient <= 0 {
		return true // no limit
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

// clientOf returns the client of a connection; invalid for a unix socket.
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
	client netip.Addr // counted client; invalid = none
	closed bool
}

// count counts the connection for a client, if the client may have another one.
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

// CloseWrite shuts down the sending side. Reads may continue.
func (c *boundConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Close()
}

// NetConn returns the underlying connection, to find its socket.
func (c *boundConn) NetConn() net.Conn { return c.Conn }

// Direct returns the underlying connection for reading and writing.
func (c *boundConn) Direct() net.Conn { return c.Conn }

package inbound

import (
	"bufio"
	"crypto/tls"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/goodgate/goodgate/internal/wire/deadline"
	"github.com/goodgate/goodgate/internal/wire/socket"
)

const (
	bufferSize = 4 << 10

	// settle is after what time without a request a connection gives up the stack
	// that serving one took.
	settle = 2 * time.Second

	// settleBody is the same for one whose request's body has not come: nearly all
	// send it with the header.
	settleBody = 100 * time.Millisecond

	// firstRequest is how long a new connection is waited for when the server is
	// about to end: its request may be on the way.
	firstRequest = time.Second

	// lingerTime bounds, beside socket.LingerBytes, what is taken from a client to
	// which a last answer was sent.
	lingerTime = 500 * time.Millisecond
)

// conn is a client's connection. It belongs to its goroutine; what the watch, a
// body that is read elsewhere and Shutdown may touch is said to be safe.
type conn struct {
	s      *Server
	nc     net.Conn // to read from and to write to
	raw    net.Conn // that was accepted
	remote string
	tls    *tls.ConnectionState
	rd, wr deadline.Alarm
	sock   *waiter       // nil = waits with a buffer
	br     *bufio.Reader // nil while nothing has come
	out    []byte        // what is to be sent
	failed error         // why nothing more can be: a part of what was sent is missing

	early []byte      // of a header, of which more was waited for
	next  [1]byte     // what the watch has read,
	ahead bool        // if it has
	waits atomic.Bool // whoever reads waits for the client
	lost  error       // why nothing more can be read, if the watch has found that out

	watch   watch
	phase   atomic.Int32 // what it waits for
	first   bool         // no request has come yet
	hurried bool         // it is the last moment for that
	served  bool         // a request on this goroutine
	rested  bool         // the wait goes on from another goroutine
	parked  *response    // of the request whose body is awaited there; else nil
	gone    bool         // another has the connection now
}

// Phases of a connection.
const (
	busy      = iota
	idle      // it waits for a request
	handshake // of TLS
)

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{s: s, raw: nc, first: true}
	c.watch.c = c
	if d, ok := nc.(Direct); ok {
		nc = d.Direct()
	}
	c.use(nc)
	return c
}

// use makes nc what is read from and written to.
func (c *conn) use(nc net.Conn) {
	c.nc = nc
	c.rd.Set, c.wr.Set = nc.SetReadDeadline, nc.SetWriteDeadline
	_, c.wr.Eager = nc.(*tls.Conn) // a write that times out ends a TLS connection
	c.sock = newWaiter(nc, c.fill)
}

// run serves the connection to its end. It goes on with a new goroutine where it
// would otherwise wait on a stack that it no longer needs.
func (c *conn) run() {
	if c.first && !c.open() {
		c.end()
		return
	}
	for {
		switch c.step() {
		case rest:
			go c.run()
			return
		case over:
			c.end()
			return
		}
	}
}

// step serves the next request, or goes on with the one whose body was awaited.
func (c *conn) step() outcome {
	if w := c.parked; w != nil {
		c.parked = nil
		return c.goOn(w, true)
	}
	if o := c.await(); o != ready {
		return o
	}
	return c.serve()
}

// open begins a new connection, and reports whether HTTP/1.1 is to be spoken. Behind
// the PROXY protocol already the client's address has to be waited for.
func (c *conn) open() bool {
	if a := c.raw.RemoteAddr(); a != nil {
		c.remote = a.String()
	}
	return c.s.opts.TLS == nil || c.secure()
}

// end gives the connection up.
func (c *conn) end() {
	c.put()
	if !c.gone {
		c.nc.Close()
		c.raw.Close()
		c.s.state(c.raw, http.StateClosed)
	}
	c.s.forget(c)
}

// hurry makes a connection that waits see that the server is about to end. Safe
// for concurrent use.
func (c *conn) hurry() {
	switch c.phase.Load() {
	case idle:
		c.rd.Interrupt()
	case handshake:
		c.raw.SetDeadline(time.Now().Add(firstRequest))
	}
}

// leastDirect is the least room into which a body is read without a buffer.
const leastDirect = 128

// take reads of a body of which so much is left what is buffered, else from the
// connection. What is waited for needs no buffer of its own.
func (c *conn) take(p []byte, left int64) (int, error) {
	p = p[:min(int64(len(p)), left)]
	if c.buffered() == 0 && (len(p) >= leastDirect || int64(len(p)) == left) {
		c.putReader()
	}
	if c.br == nil {
		return c.Read(p)
	}
	return c.br.Read(p)
}

// Read reads for the buffer, within the bound.
func (c *conn) Read(p []byte) (int, error) {
	switch {
	case len(c.early) > 0:
		n := copy(p, c.early)
		if c.early = c.early[n:]; len(c.early) == 0 {
			c.early = nil
		}
		return n, nil
	case c.ahead:
		c.ahead = false
		return copy(p, c.next[:]), nil
	case c.lost != nil:
		return 0, c.lost
	case c.sock != nil && c.sock.looking:
		return socket.ReadNow(c.sock.fd, p)
	}
	for {
		n, err := c.read(p)
		if n > 0 || !deadline.Exceeded(err) || !c.rd.Again() {
			return n, err
		}
	}
}

func (c *conn) read(p []byte) (int, error) {
	if c.lost != nil {
		return 0, c.lost
	}
	c.waits.Store(true)
	n, err := c.nc.Read(p)
	c.waits.Store(false)
	return n, err
}

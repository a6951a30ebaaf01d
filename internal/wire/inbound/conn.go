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

	// settle is the time without a request after which a connection gives up the stack
	// that the last one has grown.
	settle = 2 * time.Second

	// settleBody is the same while the body of a request has not arrived. Nearly all
	// clients send it with the header.
	settleBody = 100 * time.Millisecond

	// firstRequest is the time that a new connection still gets for its first request
	// when the server shuts down: the request may be on its way.
	firstRequest = time.Second

	// lingerTime bounds, beside socket.LingerBytes, how long the server reads from a
	// client after its last answer.
	lingerTime = 500 * time.Millisecond
)

// conn is a client's connection. It belongs to its goroutine. The watch, a body that
// another goroutine reads, and Shutdown call only the methods marked as safe.
type conn struct {
	s      *Server
	nc     net.Conn // to read from and to write to
	raw    net.Conn // the accepted connection
	remote string
	tls    *tls.ConnectionState
	rd, wr deadline.Alarm
	sock   *waiter       // nil = waits with a buffer
	br     *bufio.Reader // nil while nothing has come
	out    []byte        // buffered for sending
	failed error         // no write can follow: a part of the last one is missing

	early []byte      // the beginning of a header, while the rest is awaited
	next  [1]byte     // the byte that the watch has read,
	ahead bool        // if it has read one
	waits atomic.Bool // a reader waits for the client
	lost  error       // the watch has seen the connection fail

	watch   watch
	phase   atomic.Int32 // busy, idle or handshake
	first   bool         // no request has arrived yet
	hurried bool         // the first request has a last chance
	served  bool         // this goroutine has served a request
	rested  bool         // another goroutine continues the wait
	parked  *response    // the request whose body is awaited there; else nil
	gone    bool         // somebody else has the connection now
	asked   uint32       // requests so far
	age     deadline.Age
}

// spent reports whether the connection ends with its current request, because of its age
// or its number of requests.
func (c *conn) spent() bool {
	most := c.s.opts.Requests
	return most > 0 && int(c.asked) >= most || c.age.Reached()
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

// use reads from and writes to nc from now on.
func (c *conn) use(nc net.Conn) {
	c.nc = nc
	c.rd.Set, c.wr.Set = nc.SetReadDeadline, nc.SetWriteDeadline
	_, c.wr.Eager = nc.(*tls.Conn) // a write that times out ends a TLS connection
	c.sock = newWaiter(nc, c.fill)
}

// run serves the connection to its end. Before a long wait it continues in a new
// goroutine, to free the stack that it has grown.
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

// step serves the next request, or continues with the one whose body it waited for.
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

// open begins a new connection, and reports whether the client will speak HTTP/1.1.
// Behind the PROXY protocol even the client's address may make it wait.
func (c *conn) open() bool {
	c.age = deadline.AgeIn(c.s.opts.Age)
	if a := c.raw.RemoteAddr(); a != nil {
		c.remote = a.String()
	}
	return c.s.opts.TLS == nil || c.secure()
}

// end closes the connection and frees its memory.
func (c *conn) end() {
	c.put()
	if !c.gone {
		c.nc.Close()
		c.raw.Close()
		c.s.state(c.raw, http.StateClosed)
	}
	c.s.forget(c)
}

// hurry wakes a waiting connection because the server shuts down. It is safe for
// concurrent use.
func (c *conn) hurry() {
	switch c.phase.Load() {
	case idle:
		c.rd.Interrupt()
	case handshake:
		c.raw.SetDeadline(time.Now().Add(firstRequest))
	}
}

// leastDirect is the smallest destination, in bytes, for reading a body without a
// buffer.
const leastDirect = 128

// take reads from a body with left bytes to come: buffered bytes first, else from the
// connection, directly into p when it is large enough.
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

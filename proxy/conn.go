package proxy

import (
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// conn is a connection to an upstream that counts what passes and bounds how
// long a body may stand still.
//
// Setting a deadline for every read and write would cost more than the rest of
// the counting. So a deadline is only a wake-up: when it fires although the
// connection has moved, or is rightly silent, it is set anew. A body that
// stands still is thus noticed after one to two times idle.
type conn struct {
	net.Conn
	idle time.Duration // between two parts of a body; 0 = no bound

	written, read atomic.Int64
	ended         atomic.Bool // the upstream closed or broke it

	writeUntil time.Time // the write deadline; belongs to the writing goroutine

	mu    sync.Mutex  // protects the fields below
	body  *leasedBody // the response body that is being read; nil = none
	armed bool        // a read deadline is set
	mark  int64       // read, when it was
}

func (c *conn) Read(p []byte) (int, error) {
	for {
		c.arm()
		n, err := c.Conn.Read(p)
		c.read.Add(int64(n))
		switch {
		case err == nil:
			return n, nil
		case !os.IsTimeout(err):
			c.ended.Store(true)
			return n, err
		case n > 0 || !c.disarm():
			return n, err
		}
	}
}

// arm sets the wake-up, if none is set, within a body. Outside of one the
// transport reads ahead on a connection that is rightly silent.
func (c *conn) arm() {
	if c.idle <= 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.body != nil && !c.armed {
		c.armed = true
		c.mark = c.read.Load()
		c.SetReadDeadline(time.Now().Add(c.idle))
	}
}

// disarm takes a wake-up that fired off and reports whether to read on.
func (c *conn) disarm() (on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.armed {
		return false
	}
	c.armed = false
	c.SetReadDeadline(time.Time{})
	return c.body == nil || c.read.Load() != c.mark
}

// bodyBegins and bodyEnds frame the reading of a response body. The end may
// come when the connection is already used for the next exchange.
func (c *conn) bodyBegins(b *leasedBody) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.body = b
}

func (c *conn) bodyEnds(b *leasedBody) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.body == b {
		c.body = nil
	}
}

func (c *conn) Write(p []byte) (written int, err error) {
	for {
		fresh := c.armWrite()
		n, err := c.Conn.Write(p[written:])
		c.written.Add(int64(n))
		written += n
		if err == nil || fresh || !os.IsTimeout(err) {
			return written, err
		}
		c.writeUntil = time.Time{} // it was about an earlier write
	}
}

// armWrite makes sure of a write deadline and reports whether it is this
// write's own.
func (c *conn) armWrite() (fresh bool) {
	if c.idle <= 0 || !c.writeUntil.IsZero() {
		return false
	}
	c.writeUntil = time.Now().Add(c.idle)
	c.SetWriteDeadline(c.writeUntil)
	return true
}

// CloseWrite half-closes the connection, which tunnels use to say that one
// side has finished.
func (c *conn) CloseWrite() error {
	if cw, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return cw.CloseWrite()
	}
	return c.Close()
}

// trace is what one attempt learns about its connection. The hook runs on the
// attempt's own goroutine, before anything of the request is written.
type trace struct {
	conn    *conn // nil until there is one
	reused  bool
	idle    time.Duration // how long the connection had been unused
	written int64         // the connection's counters when the attempt began
	read    int64
	sent    bool // an earlier connection of this attempt took a byte
}

// newTrace adds the attempt's hook to the trace that httputil has put into the
// request's context for informational responses.
func (x *exchange) newTrace(r *http.Request) *trace {
	t := new(trace)
	httptrace.ContextClientTrace(r.Context()).GotConn = t.gotConn
	return t
}

func (t *trace) gotConn(info httptrace.GotConnInfo) {
	t.sent = t.wasSent()
	t.conn, _ = info.Conn.(*conn)
	t.reused, t.idle = info.Reused, info.IdleTime
	if t.conn != nil {
		t.written, t.read = t.conn.written.Load(), t.conn.read.Load()
	}
}

// wasSent reports whether a byte of the request may have left.
func (t *trace) wasSent() bool {
	return t.sent || t.bytesSent() > 0
}

func (t *trace) bytesSent() int64 {
	if t.conn == nil {
		return 0
	}
	return t.conn.written.Load() - t.written
}

func (t *trace) bytesReceived() int64 {
	if t.conn == nil {
		return 0
	}
	return t.conn.read.Load() - t.read
}

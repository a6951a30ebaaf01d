package proxy

import (
	"crypto/tls"
	"net"
	"net/http/httptrace"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// conn is a connection to an upstream that counts what passes and bounds how
// long a body may stand still.
type conn struct {
	net.Conn
	idle time.Duration // between two parts of a body; 0 = no bound

	written, read atomic.Int64
	ended         atomic.Bool // the upstream closed or broke it

	mu     sync.Mutex // protects the fields below
	inBody bool       // a response body is being read
	armed  bool       // a read deadline is set
}

func (c *conn) Read(p []byte) (int, error) {
	c.arm()
	n, err := c.Conn.Read(p)
	c.read.Add(int64(n))
	if err != nil && !os.IsTimeout(err) {
		c.ended.Store(true)
	}
	return n, err
}

func (c *conn) Write(p []byte) (int, error) {
	if c.idle > 0 {
		c.SetWriteDeadline(time.Now().Add(c.idle))
	}
	n, err := c.Conn.Write(p)
	c.written.Add(int64(n))
	return n, err
}

// CloseWrite half-closes the connection, which tunnels use to say that one
// side has finished.
func (c *conn) CloseWrite() error {
	if cw, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return cw.CloseWrite()
	}
	return c.Close()
}

// arm sets the read deadline within a body. Outside of one, the transport
// reads ahead on a connection that is rightly silent.
func (c *conn) arm() {
	if c.idle <= 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inBody {
		c.armed = true
		c.SetReadDeadline(time.Now().Add(c.idle))
	}
}

// bodyBegins and bodyEnds frame the reading of a response body.
func (c *conn) bodyBegins() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inBody = true
}

func (c *conn) bodyEnds() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inBody = false
	if c.armed {
		c.armed = false
		c.SetReadDeadline(time.Time{})
	}
}

// trace is what one attempt learns about its connection. The hook runs on the
// attempt's own goroutine, before anything of the request is written.
type trace struct {
	hooks   httptrace.ClientTrace
	conn    *conn // nil until there is one
	reused  bool
	idle    time.Duration // how long the connection had been unused
	written int64         // the connection's counters when the attempt began
	read    int64
	sent    bool // an earlier connection of this attempt took a byte
}

func (t *trace) gotConn(info httptrace.GotConnInfo) {
	t.sent = t.wasSent()
	t.conn = unwrap(info.Conn)
	t.reused, t.idle = info.Reused, info.IdleTime
	if t.conn != nil {
		t.written, t.read = t.conn.written.Load(), t.conn.read.Load()
	}
}

// unwrap finds the counting connection below TLS.
func unwrap(c net.Conn) *conn {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	counted, _ := c.(*conn)
	return counted
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

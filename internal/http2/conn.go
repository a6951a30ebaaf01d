package http2

import (
	"net/http"
	"sync/atomic"
	"time"
)

// conn is one connection.
type conn struct {
	t    *Transport
	cc   *http.ClientConn
	wire *wire
	used atomic.Int64 // when a request last ended; Unix nanoseconds, 0 = none has
	busy atomic.Int64 // when a request last came to the idle connection; Unix nanoseconds

	// The fields below are protected by the pool's mu.
	taken   bool // a stream was reserved
	watched bool
}

// take tells of a connection on which a stream has just been reserved whether it
// has served before, and for how long it had been idle.
func (c *conn) take() (reused bool, idle time.Duration) {
	used, alone := c.used.Load(), c.cc.InFlight() == 1
	if alone {
		c.busy.Store(time.Now().UnixNano())
	}
	if used == 0 {
		return !alone, 0
	}
	if alone {
		idle = time.Since(time.Unix(0, used))
	}
	return true, idle
}

// silent returns for how long nothing has come although requests are out.
func (c *conn) silent() time.Duration {
	if c.cc.InFlight() == 0 {
		return 0
	}
	return time.Since(time.Unix(0, max(c.busy.Load(), c.wire.heard.Load())))
}

// gone reports whether the connection is of no more use to anybody. One that has
// no request and takes none is closed: the upstream wants to end it or allows no
// streams, or it was for one request.
func (c *conn) gone() bool {
	if c.cc.Err() != nil {
		return true
	}
	if c.cc.InFlight() > 0 || !(c.t.opts.Single && c.taken) && c.cc.Available() > 0 {
		return false
	}
	c.t.wg.Go(func() { c.cc.Close() }) // which may wait for the upstream
	return true
}

// watch makes those who wait for a stream look again whenever one may have become
// free.
func (c *conn) watch() {
	if c.watched {
		return
	}
	c.watched = true
	c.cc.SetStateHook(func(*http.ClientConn) {
		select {
		case c.t.freed <- struct{}{}:
		default:
		}
	})
}

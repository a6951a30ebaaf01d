package http2

import (
	"net/http"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/goodgate/goodgate/internal/wire/deadline"
	"github.com/goodgate/goodgate/internal/wire/socket"
)

// conn is one connection.
type conn struct {
	t    *Transport
	cc   *http.ClientConn
	wire *wire
	raw  syscall.RawConn // the underlying socket; nil = none
	used atomic.Int64    // end of the last request, in Unix nanoseconds; 0 = none yet
	busy atomic.Int64    // last arrival of a request while idle, in Unix nanoseconds
	idle *time.Timer     // closes the connection after its longest idle time
	age  deadline.Age

	// calls counts the reserved streams that have not ended. net/http's own count
	// includes aborted streams without the upstream's confirmation, which a dead upstream
	// never sends.
	calls atomic.Int64
	asked atomic.Int64 // streams reserved so far

	// The pool's mu protects the fields below.
	watched bool
	doubted int64 // time of the last doubt, in Unix nanoseconds; 0 = none
}

func newConn(t *Transport, cc *http.ClientConn, w *wire) *conn {
	c := &conn{t: t, cc: cc, wire: w, raw: socket.Raw(socket.Below(w.Conn))}
	c.idle = time.AfterFunc(time.Hour, c.expire)
	c.idle.Stop()
	c.age = deadline.AgeIn(t.opts.Age)
	return c
}

// socket returns the underlying socket, nil if there is none.
func (c *conn) socket() *syscall.RawConn {
	if c.raw == nil {
		return nil
	}
	return &c.raw
}

// unreserve returns an unused reserved stream.
func (c *conn) unreserve() {
	c.cc.Release()
	c.calls.Add(-1)
	c.rest()
}

// spent reports whether the connection gets no more requests, because of its age or its
// number of requests.
func (c *conn) spent() bool {
	most := c.t.opts.Requests
	return most > 0 && c.asked.Load() >= int64(most) || c.age.Reached()
}

// rest is called when the connection may have become idle. It replaces net/http's own
// timer, which also runs before the first request, and gives a request a connection that
// it then does not use.
func (c *conn) rest() {
	wait := c.t.opts.KeepAlive
	if left, ends := c.age.Left(); ends && (wait == 0 || left < wait) {
		wait = max(left, minRest)
	}
	if wait > 0 {
		c.idle.Reset(wait)
	}
	if c.spent() || c.t.retired.Load() { // checked last, because Retire may be called meanwhile
		c.idle.Reset(minRest)
	}
}

// minRest is the delay before a connection that had a request is checked again, because
// net/http may be about to drop it, or to report something.
const minRest = 10 * time.Millisecond

// expire closes the connection if it has been idle for long enough. No stream can be
// reserved on it meanwhile.
func (c *conn) expire() {
	t := c.t
	t.mu.Lock()
	defer t.mu.Unlock()
	switch left := t.opts.KeepAlive - time.Since(time.Unix(0, c.used.Load())); {
	case t.closed:
	case t.retired.Load() || c.spent():
		if c.calls.Load() == 0 { // otherwise the last call calls rest
			t.drop(c)
		}
	case c.cc.InFlight() > 0:
		c.idle.Reset(max(t.opts.KeepAlive, minRest))
	case left > 0:
		c.idle.Reset(left)
	default:
		t.drop(c)
	}
}

// drop removes a connection and closes it. mu must be held.
func (t *Transport) drop(c *conn) {
	t.conns = slices.DeleteFunc(t.conns, func(other *conn) bool { return other == c })
	c.discard()
}

func (c *conn) close() {
	c.idle.Stop()
	c.cc.Close()
}

// discard is close in the background, because close may wait for the upstream. The pool's
// mu must be held, and the pool must be open.
func (c *conn) discard() { c.t.wg.Go(c.close) }

// take returns, for a connection with a newly reserved stream, whether it has served
// before, and its idle time.
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

// silent returns the time without a byte from the upstream while requests are in flight.
func (c *conn) silent() time.Duration {
	if c.cc.InFlight() == 0 {
		return 0
	}
	return time.Since(time.Unix(0, max(c.busy.Load(), c.wire.heard.Load())))
}

// doubt keeps new requests away from a connection until the next byte arrives, unless one
// has just arrived. The pool's mu must be held.
func (c *conn) doubt(now time.Time) {
	if now.UnixNano()-c.wire.heard.Load() > int64(heardJustNow) {
		c.doubted = now.UnixNano()
	}
}

// doubtful reports whether the connection may be dead. The pool's mu must be held.
func (c *conn) doubtful() bool {
	return c.silent() >= doubtAfter || c.doubted > c.wire.heard.Load()
}

// gone reports whether the connection is useless. It closes one that has no request and
// accepts none: the upstream wants to end it or allows no streams, or it was for one
// request.
func (c *conn) gone() bool {
	if c.cc.Err() != nil {
		return true
	}
	if c.cc.InFlight() > 0 || !c.spent() && c.cc.Available() > 0 {
		return false
	}
	c.discard()
	return true
}

// watch wakes the requests that wait for a stream whenever one may have become free.
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

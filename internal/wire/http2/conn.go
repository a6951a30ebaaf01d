package http2

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/goodgate/goodgate/internal/wire/socket"
)

// conn is one connection.
type conn struct {
	t     *Transport
	cc    *http.ClientConn
	wire  *wire
	raw   syscall.RawConn // the socket below; nil = none
	used  atomic.Int64    // when a request last ended; Unix nanoseconds, 0 = none has
	busy  atomic.Int64    // when a request last came to the idle connection; Unix nanoseconds
	idle  *time.Timer     // closes it once it has been idle for as long as it may
	until time.Time       // its age allows requests; zero = no bound

	// calls are the streams that were reserved and have not ended. net/http's own
	// count has those, too, that were given up and not confirmed, which a dead
	// upstream never does.
	calls atomic.Int64

	// The fields below are protected by the pool's mu.
	taken   bool // a stream was reserved
	watched bool
	doubted int64 // when somebody had reason to; Unix nanoseconds, 0 = nobody had
}

func newConn(t *Transport, cc *http.ClientConn, w *wire) *conn {
	c := &conn{t: t, cc: cc, wire: w, raw: socket.Raw(socket.Below(w.Conn))}
	c.idle = time.AfterFunc(time.Hour, c.expire)
	c.idle.Stop()
	if d := t.opts.Age; d > 0 {
		c.until = time.Now().Add(d - rand.N(d/10))
	}
	return c
}

// aged reports whether the connection has reached its age.
func (c *conn) aged() bool { return !c.until.IsZero() && !time.Now().Before(c.until) }

// socket returns the socket below, nil if there is none.
func (c *conn) socket() *syscall.RawConn {
	if c.raw == nil {
		return nil
	}
	return &c.raw
}

// unreserve gives back a stream that was reserved and is not used.
func (c *conn) unreserve() {
	c.cc.Release()
	c.calls.Add(-1)
	c.rest()
}

// rest is called when the connection may have become idle. net/http's own timer
// runs before the first request as well, and lets a request have a connection that
// it then does not use.
func (c *conn) rest() {
	wait := c.t.opts.KeepAlive
	if !c.until.IsZero() && (wait == 0 || time.Until(c.until) < wait) {
		wait = max(time.Until(c.until), minRest)
	}
	if wait > 0 {
		c.idle.Reset(wait)
	}
	if c.t.retired.Load() { // looked at last, since Retire may be called meanwhile
		c.idle.Reset(minRest)
	}
}

// minRest is when to look again at a connection that had a request on it, be it
// one that net/http was about to forget, or has something to say of.
const minRest = 10 * time.Millisecond

// expire closes the connection if it has been idle for long enough. Nobody can
// reserve a stream on it meanwhile.
func (c *conn) expire() {
	t := c.t
	t.mu.Lock()
	defer t.mu.Unlock()
	switch left := t.opts.KeepAlive - time.Since(time.Unix(0, c.used.Load())); {
	case t.closed:
	case t.retired.Load() || c.aged():
		if c.calls.Load() == 0 { // else the last of them calls rest
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

// drop takes a connection out and closes it. It is called with mu held.
func (t *Transport) drop(c *conn) {
	t.conns = slices.DeleteFunc(t.conns, func(other *conn) bool { return other == c })
	c.discard()
}

func (c *conn) close() {
	c.idle.Stop()
	c.cc.Close()
}

// discard is close, which may wait for the upstream. It is called with the pool's
// mu held, while the pool is open.
func (c *conn) discard() { c.t.wg.Go(c.close) }

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

// doubt keeps new requests away from a connection until something is heard of it,
// unless that was just now. Called with the pool's mu held.
func (c *conn) doubt(now time.Time) {
	if now.UnixNano()-c.wire.heard.Load() > int64(heardJustNow) {
		c.doubted = now.UnixNano()
	}
}

// doubtful reports whether the connection may be dead. Called with the pool's mu held.
func (c *conn) doubtful() bool {
	return c.silent() >= doubtAfter || c.doubted > c.wire.heard.Load()
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
	c.discard()
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

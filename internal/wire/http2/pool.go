package http2

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/goodgate/goodgate/internal/wire/http1"
)

// barrenPause is the time without new connections after one on which the upstream allowed
// no stream.
const barrenPause = time.Second

// pool holds the connections of a transport, and the requests that wait for a stream.
//
// Every new connection ends the wait of at least one request, by a stream or by a
// failure. So an upstream that allows no streams, or that closes each new connection,
// cannot make goodgate open connections without end.
type pool struct {
	freed chan struct{} // has an element when a stream may have become free

	mu      sync.Mutex // protects the fields below
	closed  bool
	conns   []*conn
	waiting []*waiter // first in, first out
	dialing int       // connections being opened
	streams int       // streams of the latest connection; 0 = unknown yet
	barren  time.Time // last time that the upstream allowed no stream on a new connection
}

// waiter is a request that waits for a stream.
type waiter struct {
	done chan struct{} // closed once c or err is set
	c    *conn         // with a stream reserved
	err  error
}

// conn returns a connection with a stream reserved.
func (t *Transport) conn(ctx context.Context, x *http1.Call) (*conn, error) {
	if ctx.Err() != nil {
		return nil, canceled(ctx, http1.PhaseDial)
	}
	c, w := t.take(x.Fresh)
	if c == nil {
		var err error
		if c, err = t.wait(ctx, w); err != nil {
			return nil, err
		}
	}
	x.On(c.take())
	x.Over(c.socket())
	return c, nil
}

// take reserves a stream, or else joins the queue for one. With fresh, it uses only new
// connections and those with recent traffic from the upstream.
func (t *Transport) take(fresh bool) (*conn, *waiter) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if fresh {
		for _, c := range t.conns {
			c.doubt(time.Now())
		}
	}
	if len(t.waiting) == 0 {
		if c := t.reserve(); c != nil {
			return c, nil
		}
	}
	w := &waiter{done: make(chan struct{})}
	t.waiting = append(t.waiting, w)
	t.serve()
	return nil, w
}

// wait waits for the stream that take has queued for. Dial bounds the opening of a
// connection. Options.Wait bounds the wait for a stream of an open one.
func (t *Transport) wait(ctx context.Context, w *waiter) (*conn, error) {
	var expired <-chan time.Time
	if t.opts.Wait > 0 {
		ticker := time.NewTicker(t.opts.Wait)
		defer ticker.Stop()
		expired = ticker.C
	}
	for {
		select {
		case <-w.done:
			return w.c, w.err
		case <-t.freed:
			t.mu.Lock()
			t.serve()
			t.mu.Unlock()
		case <-expired:
			t.expire(w)
		case <-ctx.Done():
			t.leave(w, canceled(ctx, http1.PhaseDial))
		}
	}
}

// leave ends a wait with err, unless it has ended already.
func (t *Transport) leave(w *waiter, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := slices.Index(t.waiting, w); i >= 0 {
		t.waiting = slices.Delete(t.waiting, i, i+1)
		w.end(nil, err)
	}
}

// expire ends a wait that has lasted long enough, unless a connection is being opened:
// its failure will say more.
func (t *Transport) expire(w *waiter) {
	t.mu.Lock()
	dialing := t.dialing > 0
	t.mu.Unlock()
	if !dialing {
		t.leave(w, refused(fmt.Errorf("no stream became free within %v (Wait) on the connections to the upstream, of which there may be %d", t.opts.Wait, t.opts.MaxConns)))
	}
}

func (w *waiter) end(c *conn, err error) {
	w.c, w.err = c, err
	close(w.done)
}

// The functions below are called with mu held.

// reserve reserves a stream on an open connection.
func (t *Transport) reserve() *conn {
	for _, c := range t.conns {
		if !c.spent() && !c.doubtful() && c.cc.Reserve() == nil {
			c.asked.Add(1)
			c.calls.Add(1)
			return c
		}
	}
	return nil
}

// serve gives streams to the waiting requests, and ends the waits that have become
// pointless.
func (t *Transport) serve() {
	for len(t.waiting) > 0 {
		c := t.reserve()
		if c == nil {
			break
		}
		t.endFirst(1, c, nil)
	}
	if len(t.waiting) == 0 {
		return
	}
	t.dialMore()
	for _, c := range t.conns {
		c.watch()
	}
	if t.dialing == 0 && !t.hope() {
		t.endFirst(len(t.waiting), nil, t.despair())
	}
}

// endFirst ends the wait of the first n.
func (t *Transport) endFirst(n int, c *conn, err error) {
	for _, w := range t.waiting[:n] {
		w.end(c, err)
	}
	t.waiting = slices.Delete(t.waiting, 0, n)
}

// dialMore opens as many connections as the waiting requests need, assuming the latest
// connection's number of streams.
func (t *Transport) dialMore() {
	if t.closed || time.Since(t.barren) < barrenPause {
		return
	}
	t.conns = slices.DeleteFunc(t.conns, (*conn).gone)
	need := 1
	if t.streams > 0 {
		need = (len(t.waiting) + t.streams - 1) / t.streams
	}
	for t.dialing < need && len(t.conns)+t.dialing < t.opts.MaxConns {
		t.dialing++
		t.wg.Go(t.dial)
	}
}

// hope reports whether a stream may become free, or another connection is allowed.
func (t *Transport) hope() bool {
	return slices.ContainsFunc(t.conns, func(c *conn) bool { return c.cc.InFlight() > 0 && c.silent() < doubtAfter })
}

// despair returns the reason that no request may wait.
func (t *Transport) despair() error {
	switch {
	case t.closed:
		return canceled(t.life, http1.PhaseDial)
	case len(t.conns) >= t.opts.MaxConns:
		return refused(fmt.Errorf("all %d connections to the upstream have been silent for %v", t.opts.MaxConns, doubtAfter))
	}
	return refused(errNoStreams)
}

// refused returns the failure of a request that was not sent because the upstream does
// not accept it.
func refused(err error) *http1.Error {
	return &http1.Error{Phase: http1.PhaseDial, Kind: http1.Refused, Err: err}
}

var (
	errNoStreams = errors.New("the upstream allows no streams on a new connection (SETTINGS_MAX_CONCURRENT_STREAMS is 0)")
	errGoAway    = errors.New("the upstream ended a new connection at once (GOAWAY)")
)

// dial opens a connection, for as many waiting requests as it has streams. If it fails,
// its share of them fails.
func (t *Transport) dial() {
	c, streams, err := t.connect()
	t.mu.Lock()
	defer t.mu.Unlock()
	share := (len(t.waiting) + t.dialing - 1) / t.dialing
	t.dialing--
	if c != nil {
		t.conns = append(t.conns, c)
		defer c.rest()
	}
	switch {
	case err == nil:
		t.streams = streams
	case c != nil:
		t.barren = time.Now()
		fallthrough
	default:
		t.endFirst(min(share, len(t.waiting)), nil, err)
	}
	t.serve()
}

type dialKey struct{}

// connect opens a connection and returns its number of streams. It returns a connection
// without streams together with an error: the upstream may allow some later.
func (t *Transport) connect() (*conn, int, error) {
	var w *wire
	cc, err := t.maker.NewClientConn(context.WithValue(t.life, dialKey{}, &w), "http", "upstream:80")
	switch {
	case err != nil && w != nil: // writing failed
		return nil, 0, &http1.Error{Phase: http1.PhaseDial, Kind: http1.Closed, Err: err}
	case err != nil:
		return nil, 0, err
	}
	if failed := w.await(t.life, t.opts.Handshake); failed != nil {
		cc.Close()
		return nil, 0, failed
	}
	c := newConn(t, cc, w)
	streams := cc.Available()
	switch {
	case cc.Err() != nil:
		return nil, 0, w.failure()
	case w.goingAway():
		cc.Close()
		return nil, 0, refused(errGoAway)
	case streams == 0:
		return c, 0, refused(errNoStreams)
	case t.opts.Requests > 0:
		streams = min(streams, t.opts.Requests)
	}
	return c, streams, nil
}

func (t *Transport) dialWire(ctx context.Context, _, _ string) (net.Conn, error) {
	nc, err := t.opts.Dial(ctx)
	if err != nil {
		return nil, err
	}
	w := newWire(nc)
	*ctx.Value(dialKey{}).(**wire) = w
	return w, nil
}

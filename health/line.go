package health

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/goodgate/goodgate/balancer"
)

const (
	// freshEvery bounds the new connections of one checker: one per freshEvery, so a
	// hundred a second. A smaller pool opens a new connection for every probe.
	freshEvery = 10 * time.Millisecond
	// lineLife bounds how long a connection is kept. It is also the longest time for
	// which an upstream passes that no longer accepts connections but still answers on
	// existing ones.
	lineLife = 20 * time.Second
)

// Kept bounds the connections that checkers keep between probes. Checkers with the same
// Kept share the bound.
type Kept struct {
	max int64
	n   atomic.Int64
}

// NewKept returns a Kept whose bound is most.
func NewKept(most uint64) *Kept { return &Kept{max: int64(min(most, 1<<30))} }

// take reserves one more kept connection, and reports whether the bound permits it. A nil
// Kept permits none.
func (k *Kept) take() bool {
	if k == nil {
		return false
	}
	if k.n.Add(1) > k.max {
		k.n.Add(-1)
		return false
	}
	return true
}

// give returns the reservation of take.
func (k *Kept) give() { k.n.Add(-1) }

// line is the connection that the probes of one upstream share. It can only confirm that
// the upstream passes: after any other result, the same probe asks again on a new
// connection. The line is closed after a failure, while the upstream is not up, and when
// live traffic could not reach it. So every probe that must check whether the upstream
// accepts has a new connection.
type line struct {
	life  time.Duration // longest life of a kept connection; 0 = keep none
	conn  net.Conn      // nil = none
	until time.Time     // time to close conn
	kept  *Kept
}

// liner is a [Prober] whose probes can share a connection.
type liner interface {
	probeBy(ctx context.Context, u *balancer.Upstream, l *line) error
}

// PanicError is the error of a probe in which the [Prober] panicked.
type PanicError struct {
	Value any    // of the panic
	Stack []byte // of its goroutine
}

func (e *PanicError) Error() string { return fmt.Sprintf("the prober panicked: %v", e.Value) }

// ask makes the probe of a job. A panic is a failure: it must not end the program, which
// serves clients.
func (c *Checker) ask(j job, now time.Time) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &PanicError{p, debug.Stack()}
		}
	}()
	if p, ok := c.opts.Prober.(knower); ok {
		j.known.kept = c.opts.Kept
		return p.probeKnowing(j.ctx, j.upstream, &j.known)
	}
	p, ok := c.opts.Prober.(liner)
	if !ok || c.opts.Kept == nil {
		return c.opts.Prober.Probe(j.ctx, j.upstream)
	}
	l := &j.line
	l.kept, l.life = c.opts.Kept, c.life()
	if !now.Before(l.until) || l.life == 0 {
		l.close()
	}
	return p.probeBy(j.ctx, j.upstream, l)
}

// life returns how long a connection is kept, 0 = not at all. Below the time between two
// probes there is no use. If one failure changes the verdict, it must come from a new
// connection.
func (c *Checker) life() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := min(time.Duration(len(c.entries))*freshEvery, lineLife)
	if d <= c.opts.Interval || c.opts.Thresholds.Fall < 2 {
		return 0
	}
	return d
}

// take returns the kept connection, nil if there is none or l is nil. The caller must put
// it back or close it.
func (l *line) take() net.Conn {
	if l == nil || l.conn == nil {
		return nil
	}
	c := l.conn
	l.conn = nil
	l.kept.give()
	return c
}

// put keeps a connection for the next probe, or closes it. A new connection gets a random
// end, so that the connections of a pool do not end together.
func (l *line) put(c net.Conn, fresh bool) {
	if !l.kept.take() {
		c.Close()
		return
	}
	if fresh {
		l.until = time.Now().Add(l.life/2 + rand.N(l.life/2))
	}
	l.conn = c
}

func (l *line) close() {
	if c := l.take(); c != nil {
		c.Close()
	}
}

package health

import (
	"context"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"time"

	"github.com/goodgate/goodgate/balancer"
)

const (
	// freshEvery bounds the new connections of one checker: one in this time, and
	// so a hundred a second. In a smaller pool every probe has its own.
	freshEvery = 10 * time.Millisecond
	// lineLife bounds how long a connection is kept, and so how long an upstream
	// that has stopped accepting, and still answers those it has, may pass.
	lineLife = 20 * time.Second
)

// Kept bounds the connections that checkers keep between probes, all of those
// together that have it.
type Kept struct {
	max int64
	n   atomic.Int64
}

// NewKept returns a bound of most connections.
func NewKept(most uint64) *Kept { return &Kept{max: int64(min(most, 1<<30))} }

// take reports whether one more connection may be kept. Of nil it is false.
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

// give takes back what take has granted.
func (k *Kept) give() { k.n.Add(-1) }

// line is the connection that the probes of one upstream share. It can only say
// that the upstream passes: what else comes over it is asked again on a new
// connection, in the same probe. It is closed after a failure, while the
// upstream is not up, and when live traffic could not reach it, so that every
// probe that is to find out whether the upstream still accepts has its own.
type line struct {
	life  time.Duration // of a connection that is kept now; 0 = it is not
	conn  net.Conn      // nil = none
	until time.Time     // when conn has to go
	kept  *Kept
}

// liner is a [Prober] whose probes can share a connection.
type liner interface {
	probeBy(ctx context.Context, u *balancer.Upstream, l *line) error
}

// ask makes the probe of a job.
func (c *Checker) ask(j job, now time.Time) error {
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

// life returns how long connections are kept. The time between two probes is
// none; and where one failure is enough, it is to be that of a new connection.
func (c *Checker) life() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := min(time.Duration(len(c.entries))*freshEvery, lineLife)
	if d <= c.opts.Interval || c.opts.Thresholds.Fall < 2 {
		return 0
	}
	return d
}

// take returns the connection, nil when there is none, also of a nil line. The
// caller puts it back or closes it.
func (l *line) take() net.Conn {
	if l == nil || l.conn == nil {
		return nil
	}
	c := l.conn
	l.conn = nil
	l.kept.give()
	return c
}

// put keeps a connection for the next probe, or closes it. A new one gets a
// time to go, by chance so that those of a pool do not go together.
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

package http1

import (
	"sync"
	"time"
)

// sweepEvery is the interval of checks of idle connections. They find connections that
// the upstream has closed, and their age to the second.
const sweepEvery = time.Second

// pool is a stack of idle connections: the last one used is most likely alive. One timer
// serves them all. It runs while there are any.
type pool struct {
	max  int           // largest number of connections
	age  time.Duration // longest idle time; 0 = until the upstream closes them
	life lifetime

	mu     sync.Mutex // protects the fields below
	idle   []*conn    // in order of idleSince
	timer  *time.Timer
	armed  bool // the timer runs
	closed bool
}

// get returns a connection that looks alive and how long it was idle, or nil. With
// careful it returns only one that the upstream is very unlikely to be closing now. With
// small it leaves the check to [*conn.writeFirst] where possible.
func (p *pool) get(careful, small bool) (*conn, time.Duration) {
	for {
		var within time.Duration
		if careful {
			within = p.life.careful()
		}
		c := p.pop(within)
		if c == nil {
			return nil, 0
		}
		age := time.Since(c.idleSince)
		if limit := p.life.within(p.age); limit > 0 && age >= limit || c.age.Reached() {
			c.close()
			continue
		}
		if small && c.direct() || c.quiet() {
			return c, age
		}
		p.life.closed(age)
		c.close()
	}
}

// pop takes the last connection used, unless it has been idle for longer than within; 0 =
// no bound.
func (p *pool) pop(within time.Duration) *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.idle) - 1
	if last < 0 || within > 0 && time.Since(p.idle[last].idleSince) > within {
		return nil
	}
	c := p.idle[last]
	p.idle[last] = nil
	p.idle = p.idle[:last]
	return c
}

// put keeps a connection for the next request, or closes it.
func (p *pool) put(c *conn) {
	c.idleSince = time.Now()
	if most := c.t.opts.Requests; most > 0 && c.asked >= most || c.age.Reached() || !p.push(c) {
		c.close()
	}
}

func (p *pool) push(c *conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.idle) >= p.max {
		return false
	}
	p.idle = append(p.idle, c)
	p.arm(c.idleSince)
	return true
}

// arm sets the timer, unless it is running, for the next check or the end of the oldest
// connection. mu must be held.
func (p *pool) arm(now time.Time) {
	if p.armed || len(p.idle) == 0 {
		return
	}
	wait := sweepEvery
	if limit := p.life.within(p.age); limit > 0 {
		wait = min(wait, limit-now.Sub(p.idle[0].idleSince))
	}
	p.armed = true
	if p.timer == nil {
		p.timer = time.AfterFunc(wait, p.sweep)
	} else {
		p.timer.Reset(wait)
	}
}

// sweep closes the connections that are too old, or that the upstream has closed.
func (p *pool) sweep() {
	for _, c := range p.drop(time.Now()) {
		c.close()
	}
}

// drop removes these connections. Those that the upstream has closed at the same time
// count as one observation.
func (p *pool) drop(now time.Time) (gone []*conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.armed = false
	limit := p.life.within(p.age)
	var ended time.Duration
	kept := p.idle[:0]
	for _, c := range p.idle {
		age := now.Sub(c.idleSince)
		switch {
		case limit > 0 && age >= limit:
			gone = append(gone, c)
		case !c.quiet():
			ended = age
			gone = append(gone, c)
		default:
			kept = append(kept, c)
		}
	}
	clear(p.idle[len(kept):])
	p.idle = kept
	if ended > 0 {
		p.life.closed(ended)
	}
	p.arm(now)
	return gone
}

// empty closes the idle connections.
func (p *pool) empty() {
	p.mu.Lock()
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, c := range idle {
		c.close()
	}
}

// close closes the idle connections, and later ones in put.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	if p.timer != nil {
		p.timer.Stop()
	}
	p.mu.Unlock()
	p.empty()
}

// len returns the number of idle connections.
func (p *pool) len() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.idle)
}

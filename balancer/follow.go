package balancer

import (
	"slices"
	"sync"
)

// Follow registers a checker. It calls f with the pool's upstreams, now and after each
// [Pool.Update]: in order, one call at a time, and without a lock held. The checker
// reports verdicts with [Upstream.ObserveProbe]. As with [Options.Checked], upstreams
// that join from now on wait for their first verdict. f may keep and modify the slice.
//
// stop ends the calls, and returns once f no longer runs. stop may be called more than
// once, but not by f. When the pool has no checker any more, its upstreams count as up.
func (p *Pool) Follow(f func([]*Upstream)) (stop func()) {
	l := &follower{tell: f}
	p.mu.Lock()
	p.followers = append(slices.Clone(p.followers), l)
	p.mu.Unlock()
	p.followed.Add(1)
	l.changed(p)
	return sync.OnceFunc(func() {
		p.mu.Lock()
		p.followers = slices.DeleteFunc(slices.Clone(p.followers), func(o *follower) bool { return o == l })
		p.mu.Unlock()
		l.end()
		if p.followed.Add(-1) > 0 || p.opts.Load().Checked {
			return
		}
		for _, m := range p.Members() {
			m.unprobed()
			p.verdictChanged(m.Upstream)
		}
	})
}

// checked reports whether the pool has a checker.
func (p *Pool) checked() bool { return p.followed.Load() > 0 || p.opts.Load().Checked }

// tellFollowers calls all followers after a change of the members. mu must not be held.
func (p *Pool) tellFollowers() {
	p.mu.Lock()
	list := p.followers
	p.mu.Unlock()
	for _, l := range list {
		l.changed(p)
	}
}

// follower gets the pool's upstreams. The goroutine that changes the pool calls it. If
// another goroutine is calling it already, that one calls it again instead.
type follower struct {
	tell func([]*Upstream)

	mu     sync.Mutex // protects the fields below
	busy   bool
	again  bool
	ended  bool
	waking chan struct{} // closed at the end of a call; nil = nobody waits
}

func (l *follower) changed(p *Pool) {
	l.mu.Lock()
	l.again = true
	for l.again && !l.busy && !l.ended {
		l.busy, l.again = true, false
		l.mu.Unlock()
		l.tell(p.Upstreams())
		l.mu.Lock()
		l.busy = false
		if l.waking != nil {
			close(l.waking)
			l.waking = nil
		}
	}
	l.mu.Unlock()
}

// end returns once tell no longer runs.
func (l *follower) end() {
	l.mu.Lock()
	l.ended = true
	var wait chan struct{}
	if l.busy {
		if l.waking == nil {
			l.waking = make(chan struct{})
		}
		wait = l.waking
	}
	l.mu.Unlock()
	if wait != nil {
		<-wait
	}
}

package balancer

import (
	"slices"
	"sync"
)

// Follow tells f the pool's upstreams, now and after each [Pool.Update] that changes
// them: in order, one call at a time, and without a lock held. f is who gives verdicts
// ([Upstream.ObserveProbe]): as with [Options.Checked], upstreams that join from now on
// wait for their first. What f is told is its own.
//
// stop ends it, and returns when f does not run any more. It may be called more than
// once, but not by f. Without anybody who gives verdicts upstreams count as up.
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

// checked reports whether something gives verdicts.
func (p *Pool) checked() bool { return p.followed.Load() > 0 || p.opts.Load().Checked }

// tellFollowers tells them that the members have changed. Called without mu.
func (p *Pool) tellFollowers() {
	p.mu.Lock()
	list := p.followers
	p.mu.Unlock()
	for _, l := range list {
		l.changed(p)
	}
}

// follower is told what the pool consists of. Whoever changes the pool tells it, but
// while one does, the others leave it to that one.
type follower struct {
	tell func([]*Upstream)

	mu     sync.Mutex // protects the fields below
	busy   bool
	again  bool
	ended  bool
	waking chan struct{} // closed when a call has ended; nil = nobody waits
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

// end returns when tell does not run any more.
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

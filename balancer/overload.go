package balancer

import (
	"sync"
	"sync/atomic"
	"time"
)

// overload limits a pool while it is past its knee, and not otherwise:
//
//	        growth has evidence
//	 free ───────────────────────▶ limiting
//	 ▲ │ ◀─────────────────────── │
//	 │ │  for some seconds places │
//	 │ │  were free most of the   │
//	 │ │  time, or nothing was    │
//	 │ ▼  answered                ▼
//	unwatched ◀───────────────────
//
// Configure and Update take the state to unwatched and back, by the options and by
// whether a member has a limit of its own.
//
// While it is free there is no limit. While it is limiting, each member has the
// limit that [adaptive] finds. Both look at nothing but requests that wait for a
// response header: neither streams, tunnels, and downloads, nor requests whose
// body is still being sent, take a place.
//
// The pool as a whole is judged: a member that is slower than the others is the
// outlier rule's.
type overload struct {
	state   atomic.Uint32 // an overloadState
	closes  atomic.Int64  // Unix nanoseconds: when the window may end
	times   spectrum      // of the window's answers
	answers atomic.Int64  // Unix nanoseconds: the last while limiting

	mu     sync.Mutex // protects the fields below
	began  int64      // of the window, Unix nanoseconds; 0 = none yet
	waited float64    // requests that waited then
	growth growth
	full   float64     // share of the latest looks at which all places were taken
	timer  *time.Timer // set while limiting
}

type overloadState uint32

const (
	unwatched overloadState = iota // somebody has said how much is too much, or that nothing is
	free
	limiting
)

const (
	windowLeast   = int64(60 * time.Millisecond)
	windowMost    = int64(4 * time.Second) // what has fewer answers in this time is not judged
	windowAnswers = 16

	easeEvery = 100 * time.Millisecond // a look
	easeFade  = 1.0 / 30               // what a look counts for in their mean
	easeBelow = 0.4                    // share of looks; an overload of a twentieth keeps all places taken nine times in ten
	easeStall = 2 * time.Second        // without an answer
)

func (o *overload) is(s overloadState) bool { return overloadState(o.state.Load()) == s }

// change is the only place where the state changes. It reports whether it was from.
func (o *overload) change(from, to overloadState) bool {
	if !o.state.CompareAndSwap(uint32(from), uint32(to)) {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.growth, o.began = growth{}, 0
	if o.timer != nil {
		o.timer.Stop()
		o.timer = nil
	}
	return true
}

// protects reports whether the pool is to be limited when it is past its knee. A limit
// that somebody has set says that they know better.
func (p *Pool) protects() bool {
	o := p.opts.Load()
	return o.Protect && !o.Adaptive.Enabled && !p.set.Load().told
}

// watchOverload brings the state in line with the options and the members.
func (p *Pool) watchOverload() {
	o := &p.overload
	if p.protects() {
		o.change(unwatched, free)
		return
	}
	if o.change(limiting, unwatched) || o.change(free, unwatched) {
		p.setLimits(func(a *adaptive) { a.configure(p.opts.Load().Adaptive) })
	}
}

// setLimits changes all members' limits. Called without a lock held.
func (p *Pool) setLimits(set func(*adaptive)) {
	members := p.Members()
	for i := range members {
		set(&members[i].adaptive)
	}
	p.placesChanged()
	p.waiters.wakeAll()
}

// FreesAtHeader reports whether a request needs its place among [Pool.Places] only
// until its response header, and none while it sends its body.
func (p *Pool) FreesAtHeader() bool { return !p.overload.is(unwatched) }

// headed is called when a request to u has its response header, or has failed.
func (p *Pool) headed(u *Upstream, o Outcome, rtt time.Duration, now int64) {
	switch overloadState(p.overload.state.Load()) {
	case free:
		if o == Success {
			p.overload.times.add(rtt)
			if now >= p.overload.closes.Load() {
				p.closeWindow(now)
			}
		}
	case limiting:
		p.overload.answers.Store(now)
		waits := u.occupied() + 1
		if 2*waits <= 3*u.adaptive.limit()+2 && u.adaptive.record(o, now-int64(rtt), int(waits)) {
			p.placesChanged()
		}
		p.waiters.wakeOne()
	}
}

// closeWindow ends the window, if it has seen enough, and goes by what it shows.
func (p *Pool) closeWindow(now int64) {
	o := &p.overload
	if !o.mu.TryLock() {
		return // somebody else does it
	}
	knee := o.close(now, float64(p.occupied()))
	o.mu.Unlock()
	if knee > 0 && o.change(free, limiting) {
		p.limitTo(knee)
	}
}

// close ends the window. It returns the number of requests that saturates the pool
// when there is evidence that more wait, else 0. Called with mu held.
func (o *overload) close(now int64, waits float64) (knee float64) {
	switch answers := o.times.count(); {
	case o.began == 0 || now-o.began > windowMost:
		o.growth = growth{before: window{end: waits}}
	case answers < windowAnswers:
		o.closes.Store(now + windowLeast/8)
		return 0
	default:
		knee = o.growth.add(window{
			waits:   max((o.waited+waits)/2, 1),
			end:     waits,
			answers: float64(answers),
			seconds: time.Duration(now - o.began).Seconds(),
			low:     o.times.quantile(lowShare),
		})
	}
	o.times.clear()
	o.began, o.waited = now, waits
	o.closes.Store(now + windowLeast)
	return knee
}

// limitTo begins with a limit for the whole pool, of which each member gets the share
// of its weight.
func (p *Pool) limitTo(n float64) {
	members := p.Members()
	weight := 0
	for i := range members {
		if members[i].Available() {
			weight += members[i].Weight
		}
	}
	opts := p.opts.Load().Adaptive
	for i := range members {
		opts.Start = max(int(n*float64(members[i].Weight)/float64(max(weight, 1))+0.5), 1)
		members[i].adaptive.begin(opts)
	}
	now := time.Now()
	o := &p.overload
	o.answers.Store(now.UnixNano())
	o.mu.Lock()
	o.full = 1
	o.timer = time.AfterFunc(easeEvery, p.ease)
	o.mu.Unlock()
	p.limitedStill()
}

// limitedStill ends limits that were begun while Configure ended them.
func (p *Pool) limitedStill() {
	if p.overload.is(limiting) {
		p.placesChanged()
		return
	}
	p.setLimits(func(a *adaptive) { a.configure(p.opts.Load().Adaptive) })
}

// ease looks whether the limits are needed still.
func (p *Pool) ease() {
	o := &p.overload
	now := time.Now()
	places := int64(p.Places())
	o.mu.Lock()
	if !o.is(limiting) || o.timer == nil {
		o.mu.Unlock()
		return
	}
	o.full *= 1 - easeFade
	if places > 0 && p.occupied() >= places {
		o.full += easeFade
	}
	over := o.full < easeBelow || now.UnixNano()-o.answers.Load() >= int64(easeStall)
	if !over {
		o.timer.Reset(easeEvery)
	}
	o.mu.Unlock()
	if over {
		if o.change(limiting, free) {
			p.setLimits((*adaptive).end)
		}
		return
	}
	p.limitNew()
}

// limitNew gives members that have joined a limit.
func (p *Pool) limitNew() {
	members := p.Members()
	begun := false
	for i := range members {
		if a := &members[i].adaptive; a.limit() == 0 {
			a.begin(p.opts.Load().Adaptive)
			begun = true
		}
	}
	if begun {
		p.limitedStill()
	}
}

// occupied returns how many requests wait for a response header, but for those whose
// body is still being sent.
func (p *Pool) occupied() (n int64) {
	members := p.Members()
	for i := range members {
		n += members[i].occupied()
	}
	return n
}

func (u *Upstream) occupied() int64 { return u.waiting.n.Load() - u.sending.Load() }

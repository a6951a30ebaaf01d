package balancer

import (
	"sync"
	"sync/atomic"
	"time"
)

// overload limits a pool while it is past its knee, and only then:
//
//	        growth has evidence
//	 free ───────────────────────▶ limiting
//	 ▲ │ ◀─────────────────────── │
//	 │ │  for some seconds places │
//	 │ │  were free most of the   │
//	 │ │  time, or no answer came │
//	 │ ▼                          ▼
//	unwatched ◀───────────────────
//
// Configure and Update switch to and from unwatched, according to the options and to
// whether a member has a limit of its own.
//
// In the state free there is no limit. In the state limiting, each member has the limit
// that [adaptive] finds. Both count only requests that wait for a response header.
// Streams, tunnels and downloads take no place, and neither do requests whose body is
// still being sent.
//
// It judges the pool as a whole. The outlier rule handles a member that is slower than
// the others.
type overload struct {
	state   atomic.Uint32 // an overloadState
	closes  atomic.Int64  // Unix nanoseconds: earliest end of the window
	times   spectrum      // times to the answers of the window
	answers atomic.Int64  // Unix nanoseconds: last answer while limiting

	mu     sync.Mutex // protects the fields below
	began  int64      // start of the window, Unix nanoseconds; 0 = no window yet
	waited float64    // requests that waited at that time
	growth growth
	full   float64     // share of the latest checks that found all places taken
	timer  *time.Timer // set while limiting
}

type overloadState uint32

const (
	unwatched overloadState = iota // the configuration sets the limits, or has switched Protect off
	free
	limiting
)

const (
	windowLeast   = int64(60 * time.Millisecond)
	windowMost    = int64(4 * time.Second) // a longer window has too few answers and is dropped
	windowAnswers = 16

	easeEvery = 100 * time.Millisecond // between two checks
	easeFade  = 1.0 / 30               // weight of a check in full
	easeBelow = 0.4                    // value of full that ends the limits; an overload of 5 % keeps all places taken in nine checks of ten
	easeStall = 2 * time.Second        // time without an answer that ends the limits
)

func (o *overload) is(s overloadState) bool { return overloadState(o.state.Load()) == s }

// change moves the state from one to another, and reports whether it was in from. Only
// change writes the state.
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

// protects reports whether the pool gets limits when it is past its knee. A configured
// limit takes precedence.
func (p *Pool) protects() bool {
	o := p.opts.Load()
	return o.Protect && !o.Adaptive.Enabled && !p.set.Load().told
}

// watchOverload updates the state for the options and the members.
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

// setLimits changes the limits of all members. No lock may be held.
func (p *Pool) setLimits(set func(*adaptive)) {
	members := p.Members()
	for i := range members {
		set(&members[i].adaptive)
	}
	p.placesChanged()
	p.waiters.wakeAll()
}

// FreesAtHeader reports whether a request occupies one of [Pool.Places] only while it
// waits for its response header: it occupies none while it sends its body or receives the
// response body.
func (p *Pool) FreesAtHeader() bool { return !p.overload.is(unwatched) }

// headed handles a response header from u, or a failure before it.
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

// closeWindow ends the window if it has enough answers, and acts on the evidence.
func (p *Pool) closeWindow(now int64) {
	o := &p.overload
	if !o.mu.TryLock() {
		return // another goroutine does it
	}
	knee := o.close(now, float64(p.occupied()))
	o.mu.Unlock()
	if knee > 0 && o.change(free, limiting) {
		p.limitTo(knee)
	}
}

// close ends the window. If there is evidence that more requests wait than saturate the
// pool, it returns the number that saturates it, else 0. mu must be held.
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

// limitTo starts limiting with a limit for the whole pool. Each member gets a share by
// its weight.
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

// limitedStill removes limits that were set while Configure or Update switched limiting
// off.
func (p *Pool) limitedStill() {
	if p.overload.is(limiting) {
		p.placesChanged()
		return
	}
	p.setLimits(func(a *adaptive) { a.configure(p.opts.Load().Adaptive) })
}

// ease checks whether the pool still needs the limits.
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

// limitNew sets a limit for members that have joined.
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

// occupied returns how many requests wait for a response header, without those that still
// send their body.
func (p *Pool) occupied() (n int64) {
	members := p.Members()
	for i := range members {
		n += members[i].occupied()
	}
	return n
}

func (u *Upstream) occupied() int64 { return u.waiting.n.Load() - u.sending.Load() }

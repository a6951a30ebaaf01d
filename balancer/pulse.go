package balancer

import (
	"sync/atomic"
	"time"
)

// Pulse says whether the process behind an upstream runs, by what was heard of it.
type Pulse uint8

const (
	Unknown Pulse = iota // nothing was heard lately
	Running              // it answered a request or a probe lately
	Hung                 // it leaves a probe unanswered, and requests too
)

// order is in which order an upstream answers what it is asked at the same time, by
// what was seen last.
type order uint32

const (
	unseen     order = iota
	concurrent       // it answered a probe while a request waited
	serial           // it answered a probe only once it had answered a request
)

// An upstream is Hung when the answer to a probe takes patienceFactor times as long as
// usual, within these bounds. Where it is not known whether it can answer while it
// works on a request, it has unseenPatience at least. One that cannot is never Hung.
const (
	patienceFactor = 4
	patienceLeast  = 250 * time.Millisecond
	patienceMost   = time.Second
	unseenPatience = 750 * time.Millisecond
	// longProbe is how long the answer to a probe takes that had to wait for something.
	longProbe = 100 * time.Millisecond
)

// pulse is what [Upstream.Pulse] goes by. Times are Unix nanoseconds. The zero value
// has heard nothing.
type pulse struct {
	heard  atomic.Int64 // when the process last answered
	began  atomic.Int64 // when the latest probe began
	open   atomic.Bool  // that probe has not ended
	missed atomic.Int64 // when the first probe began that went unanswered since heard; 0 = none did
	usual  atomic.Int64 // nanoseconds that an answer to a probe takes; 0 = not known
	order  atomic.Uint32
}

func (p *pulse) answered(now int64) {
	p.heard.Store(now)
	if p.missed.Load() != 0 {
		p.missed.Store(0)
	}
}

// ProbeBegins tells when a probe of the upstream begins. Its end is told by
// [Upstream.ProbeEnds].
func (u *Upstream) ProbeBegins(now time.Time) {
	u.pulse.began.Store(now.UnixNano())
	u.pulse.open.Store(true)
}

// Answered tells that the upstream's process answered a probe. A connection alone is
// no answer: the kernel makes it for a process that hangs.
func (u *Upstream) Answered(now time.Time) {
	p := &u.pulse
	took, usual := now.UnixNano()-p.began.Load(), p.usual.Load()
	if usual == 0 {
		usual = took
	}
	p.usual.Store(max(usual+(took-usual)/8, 1))
	switch {
	case u.waiting.age(now.UnixNano()) > took:
		p.order.Store(uint32(concurrent))
	case took >= int64(longProbe) && p.heard.Load() >= p.began.Load():
		p.order.Store(uint32(serial))
	}
	p.answered(now.UnixNano())
}

// ProbeEnds tells that the latest probe has ended, and whether nothing was heard
// until its timeout.
func (u *Upstream) ProbeEnds(silent bool) {
	p := &u.pulse
	if began := p.began.Load(); silent && p.heard.Load() < began {
		p.missed.CompareAndSwap(0, began)
	}
	p.open.Store(false)
}

// HeardSince reports whether the upstream's process has answered a request or a probe
// since t. It is safe for concurrent use.
func (u *Upstream) HeardSince(t time.Time) bool { return u.pulse.heard.Load() >= t.UnixNano() }

// Pulse says whether the upstream's process runs. What was heard within the given
// time shows that it does. Otherwise a probe is asked for, and it is Hung when the
// answer to that is overdue. One that has never answered a probe, or does not
// while it works on a request, is never Hung.
func (u *Upstream) Pulse(now time.Time, within time.Duration) Pulse {
	p := &u.pulse
	at := now.UnixNano()
	heard := p.heard.Load()
	if heard >= at-int64(within) {
		return Running
	}
	since := p.missed.Load()
	if since == 0 && p.open.Load() {
		since = max(p.began.Load(), heard)
	}
	if patience := p.patience(); since != 0 && patience > 0 && at-since >= int64(patience) {
		return Hung
	}
	if since == 0 && p.began.Load() < at-int64(within) {
		u.nudge()
	}
	return Unknown
}

// patience is how long the answer to a probe may take; 0 = for ever.
func (p *pulse) patience() time.Duration {
	usual := time.Duration(p.usual.Load())
	if usual == 0 {
		return 0
	}
	least := patienceLeast
	switch order(p.order.Load()) {
	case serial:
		return 0
	case unseen:
		least = unseenPatience
	}
	return min(max(patienceFactor*usual, least), patienceMost)
}

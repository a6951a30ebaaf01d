package balancer

import (
	"sync/atomic"
	"time"
)

// Pulse is whether the process behind an upstream runs, judged by its latest answers.
type Pulse uint8

const (
	Unknown Pulse = iota // no answer lately
	Running              // answered a request or a probe lately
	Hung                 // answers neither a probe nor requests
)

// order is whether an upstream answers a probe while it works on a request, by the last
// observation.
type order uint32

const (
	unseen     order = iota
	concurrent       // it answered a probe while a request waited
	serial           // it answered a probe only after a request
)

// An upstream is Hung when the answer to a probe takes patienceFactor times as long as
// usual, within the bounds below. While its order is unseen, the lower bound is
// unseenPatience. A serial upstream is never Hung.
const (
	patienceFactor = 4
	patienceLeast  = 250 * time.Millisecond
	patienceMost   = time.Second
	unseenPatience = 750 * time.Millisecond
	// longProbe is the duration of a probe from which on it must have waited for
	// something.
	longProbe = 100 * time.Millisecond
)

// pulse is the evidence for [Upstream.Pulse]. Times are Unix nanoseconds. The zero value
// has no answers.
type pulse struct {
	heard  atomic.Int64 // time of the last answer
	began  atomic.Int64 // start of the latest probe
	open   atomic.Bool  // the latest probe has not ended
	missed atomic.Int64 // start of the first unanswered probe since heard; 0 = none
	usual  atomic.Int64 // usual time to answer a probe, in nanoseconds; 0 = unknown
	order  atomic.Uint32
}

func (p *pulse) answered(now int64) {
	p.heard.Store(now)
	if p.missed.Load() != 0 {
		p.missed.Store(0)
	}
}

// ProbeBegins notes the start of a probe. [Upstream.ProbeEnds] notes its end.
func (u *Upstream) ProbeBegins(now time.Time) {
	u.pulse.began.Store(now.UnixNano())
	u.pulse.open.Store(true)
}

// Answered notes that the upstream's process has answered a probe. A connection alone is
// no answer: the kernel accepts it even for a process that hangs.
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

// ProbeEnds notes the end of the latest probe. silent means that no answer came before
// its timeout.
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

// Pulse returns whether the upstream's process runs. An answer within the given time
// proves it. Without one, Pulse asks for a probe, and returns [Hung] once the answer to
// the probe is overdue. An upstream that has never answered a probe, or cannot answer one
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

// patience returns how long the answer to a probe may take; 0 = for ever.
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

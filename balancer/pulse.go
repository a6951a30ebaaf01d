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

// An upstream is Hung when the answer to a probe takes patienceFactor times as long as
// usual, within these bounds.
const (
	patienceFactor = 4
	patienceLeast  = 150 * time.Millisecond
	patienceMost   = time.Second
)

// pulse is what [Upstream.Pulse] goes by. Times are Unix nanoseconds. The zero value
// has heard nothing.
type pulse struct {
	heard  atomic.Int64 // when the process last answered
	began  atomic.Int64 // when the latest probe began
	open   atomic.Bool  // that probe has not ended
	missed atomic.Int64 // when the first probe began that went unanswered since heard; 0 = none did
	usual  atomic.Int64 // nanoseconds that an answer to a probe takes; 0 = not known
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

// Pulse says whether the upstream's process runs. What was heard within the given
// time shows that it does. Otherwise a probe is asked for, and it is Hung when the
// answer to that is overdue. Without probes it is never Hung.
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
	if since != 0 && at-since >= int64(p.patience()) {
		return Hung
	}
	if since == 0 && p.began.Load() < at-int64(within) {
		u.nudge()
	}
	return Unknown
}

// patience is how long the answer to a probe may take.
func (p *pulse) patience() time.Duration {
	return min(max(patienceFactor*time.Duration(p.usual.Load()), patienceLeast), patienceMost)
}

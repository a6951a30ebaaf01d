package balancer

import (
	"sync/atomic"
	"time"
)

// Health is the verdict of the probes.
type Health uint32

const (
	Checking Health = iota // no verdict yet: requests wait for the first one
	Up
	Down
	Draining // answers probes, and says that it wants no new requests
)

// Probe is the result of one probe.
type Probe uint8

const (
	Passed  Probe = iota
	Wrong         // the upstream answered, but not as expected
	Silent        // no answer: a timeout, a broken connection, or a failed TLS handshake
	Refused       // no connection: nothing listens, no route, or no such name
	Drains        // the upstream answered that it wants no new requests
)

// Thresholds are the numbers of probes in a row that change the verdict. The first
// verdict takes one probe. With the zero value every probe decides.
type Thresholds struct {
	Rise int // passed probes in a row until a down upstream is up
	Fall int // failed probes in a row until an up upstream is down
}

// streak counts the last probes in a row that contradict the verdict.
type streak struct {
	against int
	rise    int // overrides Thresholds.Rise unless 0
}

// next returns the verdict after a probe. It is the complete rule of rise and fall. The
// upstream's own word that it drains, or no longer drains, needs no confirmation.
func (s *streak) next(now Health, p Probe, t Thresholds) Health {
	pass := p == Passed
	switch {
	case p == Drains:
		*s = streak{}
		return Draining
	case now == Checking, now == Draining && pass:
		s.against = 0
		return verdict(pass)
	case pass == (now == Up) && now != Draining:
		s.against = 0
		return now
	}
	s.against++
	need := t.Fall
	if pass {
		need = t.Rise
		if s.rise != 0 {
			need = s.rise
		}
	}
	if s.against < need {
		return now
	}
	*s = streak{}
	return verdict(pass)
}

func verdict(pass bool) Health {
	if pass {
		return Up
	}
	return Down
}

// Health returns the verdict of the probes.
func (u *Upstream) Health() Health { return Health(u.health.Load()) }

// Trusted reports whether the upstream gets traffic although its probes fail. The pool
// trusts an upstream that still answers requests if no member passes its probes.
func (u *Upstream) Trusted() bool { return u.trusted.Load() }

// ObserveProbe takes the result of one probe, and reports whether the verdict changed.
func (u *Upstream) ObserveProbe(p Probe, t Thresholds) (flipped bool) {
	return u.observe(p, t, func(before Health) Health { return u.probe.next(before, p, t) })
}

// ObserveVerdict adopts the verdict about another upstream on the same host, after its
// probe p. It reports whether the verdict about this upstream changed. The adopted verdict
// replaces this upstream's own count of probes in a row. After this upstream has refused
// the connection of a live request, its verdict stays [Down] until a probe passes.
func (u *Upstream) ObserveVerdict(other Health, p Probe, t Thresholds) (flipped bool) {
	return u.observe(p, t, func(before Health) Health {
		if other == Up && p != Passed && before == Down {
			return Down
		}
		u.probe = streak{}
		return other
	})
}

// observe takes the result of a probe. next returns the verdict after it.
func (u *Upstream) observe(p Probe, t Thresholds, next func(before Health) Health) (flipped bool) {
	u.moments.refused.Store(false)
	u.probeMu.Lock()
	before := Health(u.health.Load())
	after := next(before)
	u.health.Store(uint32(after))
	now := time.Now()
	if after == Down && before != Down {
		u.trial.lost(now)
	}
	u.trial.probed(p == Passed, t)
	left := u.leaving.probed(p, now)
	if after == Up && before != Up {
		u.usable(now)
	}
	u.probeMu.Unlock()
	defer u.confirmed(left)

	changed := u.evidence.probed(p, now)
	stays := p == Passed && u.restsTillPass.Swap(false)
	if before == after && !changed && !stays {
		return false
	}
	if stays || after == Up && (before == Down || before == Draining || before == Checking && u.late) {
		u.resting.Store(false) // it has been gone, which ends its rest
		u.latency.forget()
		u.returned()
	}
	u.pool.change(u, func() bool {
		if after == Up && before != Up {
			u.tried = 0 // it may get another early trial
		}
		return true
	})
	return before != after
}

// Refused handles a refused connection of a live request. Nothing listens on the address,
// so the upstream is down at once, without a threshold. One passed probe brings it back.
// Without a checker Refused does nothing, because nothing would bring the upstream back;
// the breaker alone decides.
func (u *Upstream) Refused() {
	if !u.pool.checked() {
		return
	}
	u.probeMu.Lock()
	u.health.Store(uint32(Down))
	u.probe = streak{rise: 1}
	u.trial.lost(time.Now())
	u.probeMu.Unlock()
	u.moments.refused.Store(true)
	u.evidence.lose(time.Now())
	u.pool.verdictChanged(u)
	u.nudge()
}

// evidence compares the time of the upstream's last answer, to traffic or a probe, with
// the time when it was last unreachable. It decides which upstreams get traffic if all
// probes of a pool fail: a broken health endpoint should not take a working application
// out.
type evidence struct {
	heard atomic.Int64 // Unix nanoseconds; 0 = never
	lost  atomic.Int64
}

// answers reports whether the upstream has answered since it was last unreachable.
func (e *evidence) answers() bool { return e.heard.Load() > e.lost.Load() }

func (e *evidence) lose(now time.Time) { e.lost.Store(now.UnixNano()) }

// record takes the outcome of an attempt, and reports whether answers changed.
func (e *evidence) record(o Outcome, now time.Time) (turned bool) {
	switch o {
	case Success, Failure:
		before := e.answers()
		e.heard.Store(now.UnixNano())
		return !before
	case Unreachable:
		before := e.answers()
		e.lose(now)
		return before
	}
	return false
}

// probed takes the result of a probe. A silent probe proves nothing while traffic may get
// answers, so only traffic can turn silence into a loss.
func (e *evidence) probed(p Probe, now time.Time) (turned bool) {
	switch p {
	case Passed, Wrong, Drains:
		return e.record(Success, now)
	case Refused:
		return e.record(Unreachable, now)
	}
	return false
}

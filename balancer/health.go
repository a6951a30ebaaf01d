package balancer

import (
	"sync/atomic"
	"time"
)

// Health is the verdict of the probes.
type Health uint32

const (
	Checking Health = iota // no verdict yet: takes no requests, which wait for the first one
	Up
	Down
	Draining // answers, and says that it is to get no new requests
)

// Probe is the result of one probe.
type Probe uint8

const (
	Passed  Probe = iota
	Wrong         // it answered, but not as expected
	Silent        // it was reached and did not answer, or not in time
	Refused       // it could not be reached
	Drains        // it answered that it is to get no new requests
)

// Thresholds say how many probes in a row change the verdict. The first
// verdict takes one probe. The zero value flips on every probe.
type Thresholds struct {
	Rise int // passes in a row until an upstream that was down is up
	Fall int // failures in a row until an upstream that was up is down
}

// streak counts probes in a row that disagree with the verdict.
type streak struct {
	against int
	rise    int // overrides Thresholds.Rise when not 0
}

// next returns the verdict after a probe. It is the whole rule of rise and
// fall. The upstream's own word that it drains, and that it no longer does,
// needs no confirmation.
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

// Trusted reports whether the upstream gets traffic although its probes fail,
// because no member of the pool passes them and this one still answers.
func (u *Upstream) Trusted() bool { return u.trusted.Load() }

// ObserveProbe feeds the result of one probe and reports whether the verdict
// changed.
func (u *Upstream) ObserveProbe(p Probe, t Thresholds) (flipped bool) {
	u.moments.refused.Store(false)
	u.probeMu.Lock()
	before := Health(u.health.Load())
	after := u.probe.next(before, p, t)
	u.health.Store(uint32(after))
	now := time.Now()
	if after == Down && before != Down {
		u.trial.lost(now)
	}
	u.trial.probed(p == Passed, t)
	left := u.leaving.probed(p, now)
	if after == Up && before != Up && u.trial.since.Load() != 0 {
		u.trial.since.Store(now.UnixNano()) // its patience begins when it may be used
	}
	u.probeMu.Unlock()
	defer u.confirmed(left)

	changed := u.evidence.probed(p, now)
	stays := p == Passed && u.restsTillPass.Swap(false)
	if before == after && !changed && !stays {
		return false
	}
	if stays || after == Up && (before == Down || before == Draining || before == Checking && u.late) {
		u.resting.Store(false) // it has been gone, so what it asked for is over
		u.latency.forget()
		u.returned()
	}
	u.pool.change(u, func() bool {
		if after == Up && before != Up {
			u.tried = 0 // it is worth another early trial
		}
		return true
	})
	return before != after
}

// Refused tells that a connection made for live traffic was refused: nothing
// listens there now, which no threshold needs to confirm. One passed probe
// brings the upstream back. Without probes nothing would bring it back, so
// then the breaker alone decides.
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

// evidence is what was last heard of an upstream, by traffic or by probe, as
// against when it was last found unreachable. It decides who gets traffic when
// every probe of a pool fails: a broken health endpoint is no reason to stop
// using an application that works.
type evidence struct {
	heard atomic.Int64 // Unix nanoseconds; 0 = never
	lost  atomic.Int64
}

// answers reports whether the upstream was heard of since it was last lost.
func (e *evidence) answers() bool { return e.heard.Load() > e.lost.Load() }

func (e *evidence) lose(now time.Time) { e.lost.Store(now.UnixNano()) }

// record takes an attempt's outcome and reports whether it turned the evidence.
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

// probed takes a probe's result. Silence proves nothing while traffic may be
// answered, so only traffic can turn it into a loss.
func (e *evidence) probed(p Probe, now time.Time) (turned bool) {
	switch p {
	case Passed, Wrong, Drains:
		return e.record(Success, now)
	case Refused:
		return e.record(Unreachable, now)
	}
	return false
}

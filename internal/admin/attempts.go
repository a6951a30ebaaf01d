package admin

import (
	"time"

	"github.com/goodgate/goodgate/internal/situation"
	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/proxy"
)

// upstreamTally counts the results of attempts on an upstream.
type upstreamTally struct {
	past   window[piece]
	last   int64 // second
	status int   // of the latest failed answer
	good   time.Time
	failed time.Time
	before usual
}

// piece counts some seconds of an upstream.
type piece struct {
	attempts, failed, escaped uint32
	again                     uint32 // failed, and the client saw another attempt's error
	abandoned                 uint32 // another upstream was also asked, and answered first
	answered                  uint32
	took, longest             time.Duration // until the response header of answered attempts
	times                     histogram
	seen                      sightings
	hung                      sightings // abandoned: the upstream seemed to hang
	slow                      sightings // answered, but slowly
	late                      sightings // abandoned: they took longer than requests usually do
	passed                    sightings // answered with an error of the application's own
	reasons                   map[reason.Reason]int
}

// count counts one attempt of a request. escaped means that the client saw the error of
// this attempt.
func (u *upstreamTally) count(r *proxy.Record, i int, escaped bool, now int64) {
	a := r.Attempts[i]
	if escaped && a.Reason == reason.None {
		a.Reason = r.Reason // a response's abort is known when the request ends
	}
	u.last = now
	if old := u.past.old(now); old != nil {
		u.before.add(old)
	}
	p := u.past.at(now)
	p.attempts++
	if a.Status != 0 {
		p.answer(a.Took, r.Start.Add(a.After+a.Took))
	}
	at := r.Start.Add(a.After + a.Took)
	switch {
	case a.Decision == reason.LostRace:
		p.abandoned++
		p.abandon(suspected(r, i), at, a.Took)
	case a.Reason.Fault() == reason.FaultUpstream:
		u.fail(p, &a, r.Path, at, escaped)
		if r.Escaped() && !escaped {
			p.again++
		}
	case ownError(a.Status) && a.Reason == reason.None:
		s := p.passed.note(situation.PassedOn, at, true, nil)
		s.status = a.Status
		s.asked(r.Path)
	case a.Status != 0 && at.After(u.good):
		u.good = at
	}
}

// ownError reports whether a status, which goodgate passes on, means that the application
// failed. 501 and 505 only mean that it does not support the request.
func ownError(status int) bool { return status >= 500 && status != 501 && status != 505 }

// abandon counts an attempt that lost against another upstream's answer.
func (p *piece) abandon(because string, at time.Time, took time.Duration) {
	switch {
	case hangs(because):
		p.hung.note(situation.Hangs, at, false, nil)
	case because == "late":
		s := p.late.note(situation.Slow, at, false, nil)
		s.longest = max(s.longest, took)
	}
}

func (u *upstreamTally) fail(p *piece, a *proxy.Attempt, path string, at time.Time, escaped bool) {
	p.failed++
	if escaped {
		p.escaped++
	}
	if p.reasons == nil {
		p.reasons = map[reason.Reason]int{}
	}
	p.reasons[a.Reason]++
	if a.Status != 0 {
		u.status = a.Status
	}
	if at.After(u.failed) {
		u.failed = at
	}
	s := p.seen.note(situation.OfAttempt(a), at, escaped, a.Err)
	if a.Reason == reason.UpstreamStatus {
		s.status = a.Status
		s.asked(path)
	}
}

func (p *piece) answer(took time.Duration, at time.Time) {
	p.answered++
	p.took += took
	p.longest = max(p.longest, took)
	p.times.add(took)
	if took >= slowAnswer {
		p.slow.note(situation.Slow, at, false, nil)
	}
}

// slowAnswer is the default bound for slow answers.
const slowAnswer = time.Second

// Percentiles need a least number of answers: of fewer they would claim too much.
const (
	enoughForP50 = 20
	enoughForP99 = 100
)

// view sums up the last minute.
func (u *upstreamTally) view(now int64) Minute {
	m := Minute{Reasons: map[string]int{}, LastFailed: u.failed, LastGood: u.good, before: u.before}
	var took time.Duration
	for p := range u.past.last(now) {
		m.Attempts += int(p.attempts)
		m.Failed += int(p.failed)
		m.Escaped += int(p.escaped)
		m.again += int(p.again)
		m.Abandoned += int(p.abandoned)
		m.hung.merge(p.hung)
		m.Answered += int(p.answered)
		m.slow.merge(p.slow)
		m.late.merge(p.late)
		m.passed.merge(p.passed)
		took += p.took
		m.LongestMS = max(m.LongestMS, milliseconds(p.longest))
		m.seen.merge(p.seen)
		for r, n := range p.reasons {
			m.Reasons[r.String()] += n
			if r == reason.UpstreamStatus {
				m.Status = u.status
			}
		}
	}
	for p := range u.past.before(now) {
		m.before.add(p)
	}
	m.Slow, m.Late, m.Errors = m.slow.times(), m.late.times(), m.passed.times()
	if m.Answered > 0 {
		m.MeanMS = milliseconds(took / time.Duration(m.Answered))
	}
	if m.Answered >= enoughForP50 {
		var times histogram
		for p := range u.past.last(now) {
			times.merge(&p.times)
		}
		m.P50MS, m.P99MS = times.percentiles(m.Answered)
	}
	return m
}

// percentiles returns the percentiles that n durations support; 0 = unknown.
func (h *histogram) percentiles(n int) (p50, p99 float64) {
	if n >= enoughForP50 {
		p50 = milliseconds(h.quantile(.5))
	}
	if n >= enoughForP99 {
		p99 = milliseconds(h.quantile(.99))
	}
	return p50, p99
}

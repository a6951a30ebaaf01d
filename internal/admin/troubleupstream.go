package admin

import (
	"fmt"
	"time"

	"github.com/goodgate/goodgate/internal/situation"
)

const (
	manyFlips = 6                // changes of availability
	flipsIn   = 15 * time.Minute // the period of these changes for flapping
	calm      = 2 * time.Minute  // the time without a change after which flapping has ended
	someSlow  = 3                // slow answers in a minute
	slowShare = 20               // the inverse of the share of slow answers that is many
	closesAll = 5                // attempts without any answer
	someHung  = 2                // abandoned attempts without any byte
	someSent  = 3                // errors of the application's own in a minute
	sentShare = 100              // the inverse of the share of these that causes a warning
	downFor   = 30 * time.Second // unavailability that counts more than flapping
)

// each returns at most one trouble per upstream.
func (p *Pool) each(now time.Time) (list []Trouble) {
	var names map[string]addresses
	for i := range p.Upstreams {
		u := &p.Upstreams[i]
		t, ok := u.trouble(p, now)
		if !ok {
			continue
		}
		if u.Name != "" && names == nil {
			names = p.names()
		}
		t.half(u.Name, names[u.Name])
		list = append(list, t)
	}
	return list
}

// addresses counts the addresses of a name.
type addresses struct{ all, bad int }

// names counts the addresses of each name, and the unusable ones.
func (p *Pool) names() map[string]addresses {
	names := map[string]addresses{}
	for i := range p.Upstreams {
		u := &p.Upstreams[i]
		n := names[u.Name]
		n.all++
		if !u.Available || u.Minute.Failed > 0 && u.Minute.LastFailed.After(u.Minute.LastGood) {
			n.bad++
		}
		names[u.Name] = n
	}
	return names
}

func (u *Upstream) facts(p *Pool) situation.Facts {
	return situation.Facts{Pool: p.Name, Upstream: u.Address, Name: u.Name, Status: u.stateStatus, Error: brief(u.Check.err)}
}

// trouble judges an upstream by its own attempts and checks alone.
func (u *Upstream) trouble(p *Pool, now time.Time) (Trouble, bool) {
	switch u.state {
	case situation.Drained, situation.SwitchedOff, situation.Leaving, situation.FoundUnready, situation.FoundEnding:
		return u.goneByOrder(p, now), true
	}
	id, s := most(u.Minute.seen)
	switch {
	case u.flips >= manyFlips && (u.Available || p.Available > 0 && now.Sub(u.Since) < downFor):
		return u.flaps(p, id, s, now), true
	case !u.Available && u.state != situation.BreakerOpen:
		return u.out(p, id, s, now), true
	case s != nil:
		return u.failing(p, id, s, now), true
	case u.Minute.hung.times() >= someHung:
		return u.hanging(p, now), true
	case u.errs(p):
		return u.passesOn(p, now), true
	case u.state == situation.Slow || u.oftenLate(p) || u.slowAnswers(p) != notSlow:
		return u.slow(p, now), true
	case u.state == situation.CheckIsWrong && u.Check.err != nil && !u.answersUnchecked():
		return u.unchecked(p, now), true
	case u.state == situation.Healthy, u.state == situation.CheckIsWrong: // the pool reports it once
		return Trouble{}, false
	}
	t := tell(u.state, u.facts(p), false, u.others(p))
	t.First = u.Since
	return t, true
}

// goneByOrder is for an upstream that takes no requests because an operator, or its own
// application, ordered so. It adds the trouble before the order.
func (u *Upstream) goneByOrder(p *Pool, now time.Time) Trouble {
	since, before := u.OperatorSince, ""
	switch u.state {
	case situation.Leaving:
		since = u.Since
	case situation.FoundUnready, situation.FoundEnding:
		since = later(u.Since, u.staged)
	}
	if id, s := most(u.Minute.seen); s != nil {
		f := u.facts(p)
		f.Status = s.status
		before = situation.Of(id).Over().With(f).Headline + " before: " + u.Minute.attempts(id, s, now)
	}
	at := ""
	if !since.IsZero() {
		at = "This state began at " + clock(since, now) + "."
	}
	t := tell(u.state, u.facts(p), false, at, u.others(p), before)
	t.First = since
	return t
}

// out is for an upstream that gets no requests because of its checks, or because it
// refused a connection.
func (u *Upstream) out(p *Pool, id situation.ID, s *sighting, now time.Time) Trouble {
	attempts := ""
	if s != nil {
		attempts = u.Minute.attempts(id, s, now)
	}
	if s != nil && id != u.state {
		f := u.facts(p)
		f.Status = s.status
		attempts = situation.Of(id).Over().With(f).Headline + ": " + lower(attempts)
	}
	t := tell(u.state, u.facts(p), false, u.checked(now), attempts, "The upstream gets no requests.", u.others(p))
	t.First, t.Last = u.Check.Since, u.Check.At
	if s != nil && (t.First.IsZero() || s.first.Before(t.First)) {
		t.First = s.first
	}
	if s != nil && s.last.After(t.Last) {
		t.Last = s.last
	}
	t.raise(u.Minute.Escaped > 0 && now.Sub(u.Minute.LastFailed) <= recently)
	return t
}

// answersUnchecked reports whether the upstream has answered a request well since its
// checks began to fail.
func (u *Upstream) answersUnchecked() bool {
	return u.Check.err != nil && u.Minute.LastGood.After(u.Check.Since)
}

// unchecked is for an upstream that is used because no other is left, without evidence
// that it works.
func (u *Upstream) unchecked(p *Pool, now time.Time) Trouble {
	id, status := situation.OfCheck(u.Check.err)
	f := u.facts(p)
	f.Status = status
	t := tell(id, f, false, u.checked(now), "The upstream gets requests nevertheless, because no upstream passes its health check.")
	t.First, t.Last = u.Check.Since, u.Check.At
	return t
}

// checked describes the last failed health check.
func (u *Upstream) checked(now time.Time) string {
	c := &u.Check
	if c.At.IsZero() || c.Passed {
		return ""
	}
	return fmt.Sprintf("The health check%s has failed since %s: %s.", c.by(), clock(c.Since, now), brief(c.err))
}

// failing is for an upstream that is in use, or was until its breaker opened, with
// failing attempts.
func (u *Upstream) failing(p *Pool, id situation.ID, s *sighting, now time.Time) Trouble {
	over := u.recovered(now)
	if id == situation.ClosedEarly && s.n >= closesAll && s.n == u.Minute.Attempts {
		id = situation.ClosesAll
	}
	f := u.facts(p)
	f.Status, f.Error = s.status, s.err
	now2 := ""
	switch {
	case over && u.Since.After(u.Minute.LastFailed):
		now2 = "It has been available again since " + clock(u.Since, now) + "."
	case over:
		now2 = "It has answered since, last at " + clock(u.Minute.LastGood, now) + "."
	case u.state == situation.BreakerOpen:
		now2 = "Its circuit breaker has been open since " + clock(u.Since, now) + "; goodgate tries it again by itself. " + u.others(p)
	case u.state == situation.Trial, u.state == situation.EarlyTrial:
		now2 = "Its circuit breaker lets a few requests through as a trial."
	}
	t := tell(id, f, over, evidenceOf(id, s), u.Minute.attempts(id, s, now), now2)
	t.First, t.Last = s.first, s.last
	t.raise(u.Minute.Escaped > 0)
	return t
}

// evidenceOf returns the words of the first failure if they say more than the row.
func evidenceOf(id situation.ID, s *sighting) string {
	switch id {
	case situation.CertExpired, situation.CertNotYet, situation.CertName, situation.CertUnknownCA, situation.CertificateBad, situation.HandshakeFails, situation.NotHTTP, situation.NameUnknown:
		if s.err != "" {
			return "Seen: " + s.err + "."
		}
	}
	return ""
}

// recovered reports whether the failures are over: the upstream has become available
// since, or has answered well since and for a while.
func (u *Upstream) recovered(now time.Time) bool {
	m := &u.Minute
	switch {
	case !u.Available || u.Trusted || u.state == situation.Trial || u.state == situation.EarlyTrial:
		return false
	case u.Since.After(m.LastFailed):
		return true
	}
	return now.Sub(m.LastFailed) > recently && m.LastGood.After(m.LastFailed)
}

// flaps is for an upstream that becomes available and unavailable often.
func (u *Upstream) flaps(p *Pool, id situation.ID, s *sighting, now time.Time) Trouble {
	why := u.checked(now)
	if s != nil {
		f := u.facts(p)
		f.Status = s.status
		why = sentences(situation.Of(id).With(f).Headline+".", u.Minute.attempts(id, s, now), why)
	}
	over := u.Available && now.Sub(u.Since) > calm
	t := tell(situation.Flapping, u.facts(p), over, fmt.Sprintf("Its availability has changed %d times or more in %s, last at %s.", u.flips, "15 minutes", clock(u.Since, now)), why)
	t.Last = u.Since
	t.raise(u.Minute.Escaped > 0)
	return t
}

// hanging is for an upstream that did not react, so that requests were sent elsewhere.
func (u *Upstream) hanging(p *Pool, now time.Time) Trouble {
	m := &u.Minute
	h := m.hung[situation.Hangs]
	over := u.Available && m.LastGood.After(h.last) && u.Check.Passed
	t := tell(situation.Hangs, u.facts(p), over,
		fmt.Sprintf("%s of %s in the last minute moved to another upstream because no answer came, %s.", number(h.n), counted(m.Attempts, "attempt"), times(h.first, h.last, now, h.n)), "No client saw an error from it.")
	t.First, t.Last = h.first, h.last
	t.raise(false)
	return t
}

// passesOn is for an upstream whose application answers with its own errors, which go to
// the client unchanged.
func (u *Upstream) passesOn(p *Pool, now time.Time) Trouble {
	m := &u.Minute
	s := m.passed[situation.PassedOn]
	f, compared := u.facts(p), ""
	f.Status = s.status
	if o := u.rest(p); o.answered > 0 {
		compared = fmt.Sprintf("The other upstreams had it in %s of %s.", number(int(o.errors)), counted(int(o.answered), "answer"))
	}
	t := tell(situation.PassedOn, f, now.Sub(s.last) > recently && m.LastGood.After(s.last),
		fmt.Sprintf("%s of %s in the last minute had this status%s, %s.", number(s.n), counted(m.Answered, "answer"), s.to(), times(s.first, s.last, now, s.n)), compared)
	t.First, t.Last = s.first, s.last
	if t.Over {
		t.level = situation.Notice
	}
	return t
}

func (u *Upstream) slow(p *Pool, now time.Time) Trouble {
	compared, flying, gets, last := "", "", "", latest(u.Minute.slow[situation.Slow], u.Minute.late[situation.Slow])
	if u.InFlight >= manyFlying {
		flying = "It has " + number(u.InFlight) + " requests in flight."
	}
	if f := p.fastest(); f != nil && f != u {
		compared = fmt.Sprintf("The fastest, %s, %s.", f.Address, f.Minute.slowness())
	}
	if u.Slow {
		gets = "It gets fewer requests than the others."
	}
	over := !u.Slow && last != nil && now.Sub(last.last) > recently && u.Minute.LastGood.After(last.last)
	unknown := !u.Slow && !u.oftenLate(p) && u.slowAnswers(p) == slowUnknown
	if unknown {
		gets = nothingToCompare
	}
	t := tell(situation.Slow, u.facts(p), over, "In the last minute the upstream "+u.Minute.slowness()+".", u.Minute.lateness(), compared, flying, gets)
	if unknown {
		t.level = situation.Notice
	}
	if last != nil {
		t.First, t.Last = last.first, last.last
	}
	t.raise(false)
	return t
}

// nothingToCompare explains why goodgate does not raise an alarm.
const nothingToCompare = "goodgate has nothing to compare this with yet. If these requests always take long, nothing is wrong."

// latest returns the more recent sighting; both may be nil.
func latest(a, b *sighting) *sighting {
	if a == nil || b != nil && b.last.After(a.last) {
		return b
	}
	return a
}

// lateness says how many requests another upstream answered first because this one was
// late. Their full duration here is unknown.
func (m *Minute) lateness() string {
	s := m.late[situation.Slow]
	if s == nil {
		return ""
	}
	return fmt.Sprintf("This does not count %s of %s that were late: goodgate asked another upstream as well, which answered first, so clients did not wait. The longest had no answer after %s.",
		number(s.n), counted(m.Attempts, "attempt"), round(s.longest))
}

// slowness says how long the answers of the last minute took. It uses only counted
// values: few answers have no percentile.
func (m *Minute) slowness() string {
	if m.Answered == 0 {
		return "answered nothing"
	}
	s := fmt.Sprintf("answered %s after %s on average", counted(m.Answered, "request"), inWords(m.MeanMS))
	if m.Slow > 0 {
		s += fmt.Sprintf(" (%s took %s or longer, the longest %s)", number(m.Slow), inWords(milliseconds(slowAnswer)), inWords(m.LongestMS))
	}
	return s
}

// fastest returns the upstream that answers fastest, nil if none has answered.
func (p *Pool) fastest() *Upstream {
	if p.best == nil {
		for i := range p.Upstreams {
			u := &p.Upstreams[i]
			if u.Minute.Answered > 0 && (p.best == nil || u.Minute.MeanMS < p.best.Minute.MeanMS) {
				p.best = u
			}
		}
	}
	return p.best
}

// others says how many upstreams are left in the pool.
func (u *Upstream) others(p *Pool) string {
	if len(p.Upstreams) < 2 {
		return ""
	}
	return fmt.Sprintf("%d of %s in the pool can take requests.", p.Available, counted(len(p.Upstreams), "upstream"))
}

// half turns the trouble of one address into that of a name, if other addresses of the
// name work.
func (t *Trouble) half(name string, n addresses) {
	switch t.id {
	case situation.Refused, situation.Unreachable, situation.ConnectTimeout, situation.Hangs:
	default:
		return
	}
	if t.Over || name == "" || n.bad == 0 || n.bad == n.all {
		return
	}
	row := situation.Of(situation.HalfDeadName).With(situation.Facts{Pool: t.Pool, Upstream: t.Upstream, Name: name, Error: lower(t.Headline), N: n.bad, Of: n.all})
	t.id, t.Situation, t.Headline, t.Do = row.ID, string(row.ID), row.Headline, row.Do
	t.Text = sentences(row.Cause, t.Text)
}

package admin

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goodgate/goodgate/internal/situation"
)

// troubles returns those of a pool and of its upstreams.
func (p *Pool) troubles(now time.Time) (list []Trouble) {
	add := func(t Trouble, ok bool) {
		if ok {
			list = append(list, t)
		}
	}
	if c := p.Paused; c != nil {
		list = append(list, tell(situation.Paused, situation.Facts{Pool: p.Name, When: clock(c.Until, now)}, false, waitFor(c.Waiting)+" now.", ordered(c.By, c.Why)))
	}
	if c := p.Maintenance; c != nil {
		list = append(list, tell(situation.Maintenance, situation.Facts{Pool: p.Name}, false, ordered(c.By, c.Why)))
	}
	looked, unknown := p.lookup(now)
	add(looked, unknown)
	none, isNone := p.none(now)
	add(none, isNone)
	for _, id := range met {
		if told := isNone && slices.Contains(waits, id) || unknown && slices.Contains(lookups, id); !told {
			add(p.met(id, now))
		}
	}
	add(p.left(now))
	add(p.queueing())
	add(p.checkIsWrong(now))
	if none.id == situation.Starting {
		return list // repeating it for each upstream would add nothing
	}
	each := p.each(now)
	if t, ok := p.alike(each, now); ok {
		each = []Trouble{t}
	}
	list = append(list, each...)
	add(p.met(situation.RetriesStopped, now)) // after its cause
	return list
}

// ordered names the operator, and the reason.
func ordered(by, why string) string {
	if why == "" {
		return "Author: " + by + "."
	}
	return "Author: " + by + ". Reason: " + why + "."
}

// met are the situations that requests show of a pool as a whole.
var met = []situation.ID{
	situation.HoldExpired, situation.NoUpstream, situation.NameUnknown, situation.ResolverSilent, situation.Overloaded, situation.Loop, situation.UpgradeFails, situation.Internal,
	situation.FallbackInUse, situation.StaleInUse, situation.HeldOver, situation.RateLimited,
}

// waits are the situations that follow from a pool without an upstream, and are reported
// with that.
var waits = []situation.ID{situation.HoldExpired, situation.NoUpstream, situation.HeldOver}

// lookups are the situations that follow from a name that does not resolve, and are
// reported with that.
var lookups = []situation.ID{situation.NameUnknown, situation.ResolverSilent}

// none returns a trouble if no upstream takes requests, with the cause.
func (p *Pool) none(now time.Time) (Trouble, bool) {
	if p.Available > 0 || len(p.Upstreams) == 0 && (p.SourceError != "" || !p.answered) {
		return Trouble{}, false
	}
	f := situation.Facts{Pool: p.Name, Of: len(p.Upstreams)}
	starting := 0
	for i := range p.Upstreams {
		switch u := &p.Upstreams[i]; {
		case u.Operator != "ready":
			f.N++
		case u.state == situation.NotChecked:
			starting++
		}
	}
	id := situation.NoneAvailable
	switch {
	case f.Of == 0:
		id = situation.PoolEmpty
	case f.N == f.Of:
		id = situation.AllTakenOut
	case starting == f.Of:
		id = situation.Starting
	case f.N > 0:
		id = situation.SomeTakenOut
	}
	t := tell(id, f, false, p.states(), p.waiting(now))
	if id == situation.NoneAvailable {
		t.Do = cmp.Or(p.oneDo(), t.Do)
	}
	t.raise(id != situation.Starting)
	for i := range p.Upstreams {
		if since := p.Upstreams[i].Since; since.After(t.First) {
			t.First = since // when the last one left
		}
	}
	return t, true
}

// states says how many of a pool's upstreams are in each state.
func (p *Pool) states() string {
	var order []string
	count := map[string]int{}
	for i := range p.Upstreams {
		h := p.Upstreams[i].Headline
		if h == "" {
			continue
		}
		if count[h]++; count[h] == 1 {
			order = append(order, h)
		}
	}
	if len(order) == 1 {
		return order[0] + "."
	}
	for i, h := range order {
		order[i] = fmt.Sprintf("%d of %d: %s", count[h], len(p.Upstreams), lower(h))
	}
	if len(order) == 0 {
		return ""
	}
	return strings.Join(order, "; ") + "."
}

// oneDo returns the next step if all upstreams are in the same state, otherwise empty.
func (p *Pool) oneDo() string {
	for i := range p.Upstreams {
		if p.Upstreams[i].state != p.Upstreams[0].state {
			return ""
		}
	}
	u := &p.Upstreams[0]
	return situation.Of(u.state).With(u.facts(p)).Do
}

// waiting says how many requests wait, and how many have waited in vain.
func (p *Pool) waiting(now time.Time) string {
	var list []string
	if p.Waiting > 0 {
		list = append(list, waitFor(p.Waiting)+" now.")
	}
	for _, id := range slices.Concat(waits, lookups) {
		s := p.seen[id]
		if s == nil {
			continue
		}
		became := "failed because of this"
		if id == situation.HeldOver {
			became = "had to wait and were answered"
		}
		list = append(list, fmt.Sprintf("%s of %s in the last minute %s, %s.", number(s.n), counted(p.Minute.Requests, "request"), became, times(s.first, s.last, now, s.n)))
	}
	return strings.Join(list, " ")
}

// met returns a trouble if requests have shown a situation.
func (p *Pool) met(id situation.ID, now time.Time) (Trouble, bool) {
	s := p.seen[id]
	if s == nil || id == situation.HeldOver && s.longest < longHold {
		return Trouble{}, false
	}
	t := s.tell(id, p.Name, p.Minute.Requests, slices.Contains(waits, id) && p.backSince(s.last), now)
	t.Text = sentences(t.Text, p.places(id), p.orders(id, now))
	return t, true
}

// backSince reports whether an upstream has become available since a moment.
func (p *Pool) backSince(at time.Time) bool {
	return slices.ContainsFunc(p.Upstreams, func(u Upstream) bool { return u.Available && u.Since.After(at) })
}

// longHold is the wait of a request that a client notices.
const longHold = 500 * time.Millisecond

// tell makes a trouble from the sightings of a situation.
func (s *sighting) tell(id situation.ID, pool string, requests uint64, over bool, now time.Time) Trouble {
	over = over || now.Sub(s.last) > recently || id == situation.HeldOver
	saw := "No client saw an error."
	if s.escaped > 0 {
		saw = fmt.Sprintf("Clients saw %s.", counted(s.escaped, "error"))
	}
	held := ""
	if s.longest > 0 {
		held = "The longest wait was " + round(s.longest) + "."
	}
	t := tell(id, situation.Facts{Pool: pool, Name: s.name, Error: s.err}, over,
		fmt.Sprintf("This affected %s of %s in the last minute, %s.", number(s.n), counted(requests, "request"), times(s.first, s.last, now, s.n)), held, saw)
	t.First, t.Last = s.first, s.last
	if t.level > situation.Notice || s.escaped > 0 {
		t.raise(s.escaped > 0 || t.level == situation.Error)
	}
	return t
}

// places says how full a pool is that refuses requests because of its limit.
func (p *Pool) places(id situation.ID) string {
	if id != situation.Overloaded || p.Places == 0 {
		return ""
	}
	return fmt.Sprintf("Now %s; the upstreams have %s in all.", waitFor(p.Demand.Queued), counted(p.Places, "place"))
}

// orders lists operators' recent changes of upstreams, for situations in which requests
// had to wait.
func (p *Pool) orders(id situation.ID, now time.Time) string {
	if !slices.Contains(waits, id) {
		return ""
	}
	var list []string
	for i := range p.Upstreams {
		if u := &p.Upstreams[i]; !u.OperatorSince.IsZero() && now.Sub(u.OperatorSince) < 2*time.Minute {
			list = append(list, fmt.Sprintf("%s at %s (%s)", u.Address, clock(u.OperatorSince, now), u.Operator))
		}
	}
	if len(list) == 0 {
		return ""
	}
	return "An operator changed " + strings.Join(list, ", ") + "."
}

// queueing returns a trouble if a pool has reached its limit.
func (p *Pool) queueing() (Trouble, bool) {
	f := situation.Facts{Pool: p.Name}
	switch {
	case p.Places == 0 || p.Available == 0:
		return Trouble{}, false
	case p.Demand.Queued > 0:
		return tell(situation.Queueing, f, false, fmt.Sprintf("%s; the upstreams have %s in all.", waitFor(p.Demand.Queued), counted(p.Places, "place"))), true
	case p.InFlight >= p.Places:
		return tell(situation.AtLimit, f, false, fraction(p.InFlight, p.Places)+" taken."), true
	}
	return Trouble{}, false
}

func fraction(n, of int) string {
	verb := "are"
	if of == 1 {
		verb = "is"
	}
	return fmt.Sprintf("%d of %s %s", n, counted(of, "place"), verb)
}

func waitFor(n int) string {
	if n == 1 {
		return "1 request waits"
	}
	return number(n) + " requests wait"
}

// checkIsWrong returns a trouble if upstreams are used although their checks fail.
func (p *Pool) checkIsWrong(now time.Time) (Trouble, bool) {
	for i := range p.Upstreams {
		u := &p.Upstreams[i]
		if !u.Trusted || !u.answersUnchecked() {
			continue
		}
		t := tell(situation.CheckIsWrong, situation.Facts{Pool: p.Name}, false, u.checked(now))
		t.First, t.Last = u.Check.Since, u.Check.At
		return t, true
	}
	return Trouble{}, false
}

// alike returns one trouble for all upstreams of a pool if they are in use and all fail
// in the same way.
func (p *Pool) alike(each []Trouble, now time.Time) (Trouble, bool) {
	if len(each) < 2 || len(each) != len(p.Upstreams) || p.Available == 0 {
		return Trouble{}, false
	}
	slow := 0
	var all Minute
	var first, last time.Time
	for i := range each {
		t, m := &each[i], &p.Upstreams[i].Minute
		if t.Over || t.id != each[0].id || t.level < situation.Warning && t.id != situation.Slow || m.Attempts == 0 {
			return Trouble{}, false
		}
		if t.id == situation.Slow {
			slow++
		} else if m.Failed == 0 {
			return Trouble{}, false
		}
		all.Attempts += m.Attempts
		all.Failed += m.Failed
		all.Escaped += m.Escaped
		all.again += m.again
		if first.IsZero() || !t.First.IsZero() && t.First.Before(first) {
			first = t.First
		}
		if t.Last.After(last) {
			last = t.Last
		}
	}
	f := situation.Facts{Pool: p.Name, Of: len(each), Error: lower(each[0].Headline)}
	if slow == len(each) {
		t := tell(situation.AllSlow, f, false, p.answers(), p.flying())
		if !slices.ContainsFunc(each, func(t Trouble) bool { return t.level >= situation.Warning }) {
			t.Text, t.level = sentences(t.Text, nothingToCompare), situation.Notice
		}
		return t, true
	}
	t := tell(situation.FailAlike, f, false,
		fmt.Sprintf("%s of %s in the last minute failed, %s.", number(all.Failed), counted(all.Attempts, "attempt"), times(first, last, now, all.Failed)), all.noticed("them"))
	t.Reason, t.First, t.Last = each[0].Reason, first, last
	t.raise(all.Escaped > 0)
	return t, true
}

// answers says how fast each upstream of a pool answers.
func (p *Pool) answers() string {
	var list []string
	for i := range min(len(p.Upstreams), 4) {
		u := &p.Upstreams[i]
		list = append(list, u.Address+" "+u.Minute.slowness())
	}
	return "In the last minute: " + strings.Join(list, "; ") + "."
}

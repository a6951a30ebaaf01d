package admin

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/situation"
)

// Bounds of what is remembered: a pool that is never quiet pushes out nothing of
// the others.
const (
	poolEvents = 64 // of each pool
	gateEvents = 64 // of goodgate itself
	mergeBack  = 8  // events among which an equal one is looked for
	mergeFor   = 10 * time.Minute
)

// Event is something that happened to goodgate, a pool or an upstream. Events that
// are alike and follow each other are one, with a count.
type Event struct {
	Time     time.Time `json:"time"`
	Kind     string    `json:"kind"` // an upstream's new state, or one of the constants
	Pool     string    `json:"pool,omitempty"`
	Upstream string    `json:"upstream,omitempty"`
	Text     string    `json:"text,omitempty"`
	Count    int       `json:"count,omitempty"` // how often it happened; 0 = once
	First    time.Time `json:"first,omitzero"`  // the first of these
}

// What happens beside changes of an upstream's state.
const (
	evStarted      = "started"
	evReload       = "reload"
	evConfigFailed = "config_failed"
	evCertificate  = "certificate"
	evFound        = "found"      // discovery brought upstreams
	evGone         = "gone"       // discovery no longer has upstreams
	evLookup       = "lookup"     // discovery failed
	evSlow         = "slow"       // an upstream is slower than the others
	evSteady       = "steady"     // it no longer is
	evAlike        = "alike"      // most upstreams fail alike
	evUnalike      = "unalike"    // they no longer do
	evSplit        = "split"      // the weights of a route's split have changed
	evSplitBack    = "split_back" // the guard of a split has sent everything back to its first pool
	evPurge        = "purge"      // an operator has dropped what is kept of responses
	evDeploy       = "deploy"     // a deploy went on to its next stage
)

// States of an upstream, in one word.
const (
	stAvailable = "available"
	stTrusted   = "trusted" // gets requests although its checks fail
	stTrial     = "trial"   // gets a few, after its breaker was open
	stChecking  = "checking"
	stDown      = "down"
	stEjected   = "ejected"     // its breaker is open
	stLeaving   = "leaving"     // it said so itself
	stUnready   = "not_ready"   // the place where it was found says so
	stEnding    = "terminating" // the same
	stDrained   = "drained"
	stOff       = "off"
)

// stateOf returns the word for the situation of an upstream: it is down unless the
// table of words has it.
func stateOf(id situation.ID) string { return cmp.Or(stateWords[id], stDown) }

var stateWords = map[situation.ID]string{
	situation.Healthy: stAvailable, situation.Warming: stAvailable, situation.Slow: evSlow,
	situation.CheckIsWrong: stTrusted, situation.Trial: stTrial, situation.EarlyTrial: stTrial, situation.NotChecked: stChecking,
	situation.BreakerOpen: stEjected, situation.Leaving: stLeaving, situation.FoundUnready: stUnready, situation.FoundEnding: stEnding,
	situation.Drained: stDrained, situation.SwitchedOff: stOff,
}

// standing is what an upstream's state is, and since when.
type standing struct {
	state string
	since time.Time
	told  bool // the event of its state says why it is down
	found bool // members has told of it
}

// timeline remembers what happened. It is safe for concurrent use; the zero value
// is ready.
type timeline struct {
	mu    sync.Mutex // protects the fields below
	own   []Event    // the latest at the end
	pools map[string]*poolLine
}

type poolLine struct {
	events    []Event
	upstreams map[string]*standing
}

// pool returns a pool's line. Called with mu held.
func (t *timeline) pool(name string) *poolLine {
	p := t.pools[name]
	if p == nil {
		p = &poolLine{upstreams: map[string]*standing{}}
		if t.pools == nil {
			t.pools = map[string]*poolLine{}
		}
		t.pools[name] = p
	}
	return p
}

func (t *timeline) note(e Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.add(e)
}

// add puts an event in its place. Called with mu held.
func (t *timeline) add(e Event) {
	e.Text = cut(e.Text, maxError)
	if e.Pool == "" {
		t.own = join(t.own, e, gateEvents)
		return
	}
	p := t.pool(e.Pool)
	p.events = join(p.events, e, poolEvents)
}

// join appends an event, or counts it in one of the last few that is alike, which
// becomes the latest.
func join(list []Event, e Event, most int) []Event {
	for i := len(list) - 1; i >= max(0, len(list)-mergeBack); i-- {
		o := list[i]
		if o.Kind != e.Kind || o.Upstream != e.Upstream || o.Text != e.Text || e.Time.Sub(o.Time) > mergeFor {
			continue
		}
		e.Count, e.First = max(o.Count, 1)+1, o.First
		if o.Count == 0 {
			e.First = o.Time
		}
		list = slices.Delete(list, i, i+1)
		break
	}
	if len(list) == most {
		list = slices.Delete(list, 0, 1)
	}
	return append(list, e)
}

// explain says why an upstream is down, once.
func (t *timeline) explain(k balancer.Key, why string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.pools[k.Pool]
	if p == nil || p.upstreams[k.Addr] == nil {
		return
	}
	s := p.upstreams[k.Addr]
	if s.state != stDown || s.told {
		return
	}
	s.told = true
	for i, e := range slices.Backward(p.events) {
		if e.Upstream == k.Addr && e.Kind == stDown {
			p.events[i].Text = why
			return
		}
	}
}

func (p *poolLine) upstream(address string, now time.Time) *standing {
	s := p.upstreams[address]
	if s == nil {
		s = &standing{state: stChecking, since: now}
		p.upstreams[address] = s
	}
	return s
}

// stands notes an upstream's state; an event is made of one that is new. The state
// is read under mu, so that who comes later has the later one. lost says that it
// was not available, whatever it is by now.
func (t *timeline) stands(u *balancer.Upstream, lost bool, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	id, status := situation.OfState(u, nil)
	state := stateOf(id)
	if state == evSlow { // which is told with the times, see Found
		state = stAvailable
	}
	if lost && state == stAvailable {
		id, state = situation.CheckFails, stDown
	}
	k := u.Key()
	s := t.pool(k.Pool).upstream(k.Addr, now)
	if s.state == state {
		return
	}
	before, lasted := s.state, now.Sub(s.since)
	s.state, s.since, s.told = state, now, false
	e := Event{Time: now, Kind: state, Pool: k.Pool, Upstream: k.Addr, Text: causes[state]}
	switch {
	case before == stChecking && state == stAvailable:
		return // a start, of which evFound tells
	case state == stDown:
		e.Text = headlineOf(id, status)
	case state == stAvailable:
		e.Text = fmt.Sprintf("was %s for %s", cmp.Or(inWordsOf[before], before), roughly(lasted))
	}
	t.add(e)
}

// headlineOf is a situation of an upstream in one sentence.
func headlineOf(id situation.ID, status int) string {
	return situation.Of(id).With(situation.Facts{Status: status}).Headline
}

// inWordsOf are the states whose word does not stand in a sentence.
var inWordsOf = map[string]string{stTrial: "on trial", stLeaving: "shutting down", stTrusted: "used with failing checks", stChecking: "not checked", stUnready: "not ready"}

// roughly is a duration as people say it.
func roughly(d time.Duration) string {
	switch {
	case d >= time.Minute:
		return strings.Replace(d.Round(time.Second).String(), "m0s", "m", 1)
	case d >= 10*time.Second:
		return d.Round(time.Second).String()
	}
	return d.Round(100 * time.Millisecond).String()
}

// causes are what a state comes of, where that is always the same.
var causes = map[string]string{
	stTrusted: "its checks fail, but no other upstream passes and it answers",
	stEjected: "requests to it failed",
	stTrial:   "a few requests are let through",
	stLeaving: "it said that it is about to end",
	stUnready: "by the place where it was found",
	stEnding:  "by the place where it was found",
	stDrained: "by an operator",
	stOff:     "by an operator",
}

// members notes which upstreams a pool has; quiet makes no event of it.
func (t *timeline) members(pool string, present map[string]bool, quiet bool, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.pool(pool)
	var found, gone []string
	for address := range present {
		if s := p.upstream(address, now); !s.found {
			s.found = true
			found = append(found, address)
		}
	}
	for address, s := range p.upstreams {
		if present[address] {
			continue
		}
		delete(p.upstreams, address)
		if s.found {
			gone = append(gone, address)
		}
	}
	if len(found) > 0 && !quiet {
		t.add(Event{Time: now, Kind: evFound, Pool: pool, Text: named(found)})
	}
	if len(gone) > 0 {
		t.add(Event{Time: now, Kind: evGone, Pool: pool, Text: named(gone)})
	}
}

// named counts upstreams and names some of them.
func named(addresses []string) string {
	const some = 4
	slices.Sort(addresses)
	text := count(len(addresses), "upstream") + ": " + strings.Join(addresses[:min(some, len(addresses))], ", ")
	if n := len(addresses) - some; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return text
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// keep forgets the pools that are no longer there.
func (t *timeline) keep(present map[string]map[string]bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for name := range t.pools {
		if present[name] == nil {
			delete(t.pools, name)
		}
	}
}

// of returns what happened to a pool, and to goodgate itself, the latest first;
// with no name, to all pools.
func (t *timeline) of(pool string, most int) []Event {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := slices.Clone(t.own)
	for name, p := range t.pools {
		if pool == "" || name == pool {
			list = append(list, p.events...)
		}
	}
	slices.Reverse(list) // of those of one moment, the last comes first
	slices.SortStableFunc(list, func(a, b Event) int { return b.Time.Compare(a.Time) })
	return append([]Event{}, list[:min(most, len(list))]...)
}

// since returns when an upstream's state began; zero = it is not known.
func (t *timeline) since(k balancer.Key) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p := t.pools[k.Pool]; p != nil && p.upstreams[k.Addr] != nil {
		return p.upstreams[k.Addr].since
	}
	return time.Time{}
}

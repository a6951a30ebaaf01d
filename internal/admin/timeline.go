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

// Bounds of the timeline. Events of one pool do not displace those of another.
const (
	poolEvents = 64 // of each pool
	gateEvents = 64 // of goodgate itself
	mergeBack  = 8  // recent events that may absorb an equal one
	mergeFor   = 10 * time.Minute
)

// Event is an event of goodgate, a pool or an upstream. Consecutive alike events are
// merged into one, with a count.
type Event struct {
	Time     time.Time `json:"time"`
	Kind     string    `json:"kind"` // an upstream's new state, or one of the constants
	Pool     string    `json:"pool,omitempty"`
	Upstream string    `json:"upstream,omitempty"`
	Text     string    `json:"text,omitempty"`
	Count    int       `json:"count,omitempty"` // occurrences; 0 = one
	First    time.Time `json:"first,omitzero"`  // the first occurrence
}

// Kinds of events beside the changes of an upstream's state.
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
	evSplitBack    = "split_back" // the guard of a split has returned all requests to its first pool
	evFault        = "fault"      // an operator injected a fault, or ended one
	evPurge        = "purge"      // an operator has dropped kept responses
	evDeploy       = "deploy"     // a deploy has entered its next stage
	evPaused       = "paused"
	evResumed      = "resumed"
	evClosed       = "closed"   // the pool is in maintenance, because of an operator's change or its end
	evReopened     = "reopened" // it no longer is, for the same reasons
)

// States of an upstream, in one word each.
const (
	stAvailable = "available"
	stTrusted   = "trusted" // gets requests although its checks fail
	stTrial     = "trial"   // gets a few requests after its breaker was open
	stChecking  = "checking"
	stDown      = "down"
	stEjected   = "ejected"     // its breaker is open
	stLeaving   = "leaving"     // it has announced its shutdown
	stUnready   = "not_ready"   // its source reports so
	stEnding    = "terminating" // the same
	stDrained   = "drained"
	stOff       = "off"
)

// stateOf returns the state for a situation of an upstream: down, unless stateWords has
// another.
func stateOf(id situation.ID) string { return cmp.Or(stateWords[id], stDown) }

var stateWords = map[situation.ID]string{
	situation.Healthy: stAvailable, situation.Warming: stAvailable, situation.Slow: evSlow,
	situation.CheckIsWrong: stTrusted, situation.Trial: stTrial, situation.EarlyTrial: stTrial, situation.NotChecked: stChecking,
	situation.BreakerOpen: stEjected, situation.Leaving: stLeaving, situation.FoundUnready: stUnready, situation.FoundEnding: stEnding,
	situation.Drained: stDrained, situation.SwitchedOff: stOff,
}

// standing is the state of an upstream, and its beginning.
type standing struct {
	state string
	since time.Time
	told  bool // the event of its state includes the cause
	found bool // members has reported it
}

// timeline remembers events. It is safe for concurrent use; the zero value is ready.
type timeline struct {
	mu    sync.Mutex // protects the fields below
	own   []Event    // latest last
	pools map[string]*poolLine
}

type poolLine struct {
	events    []Event
	upstreams map[string]*standing
}

// pool returns a pool's line. mu must be held.
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

// add adds an event to the line that it belongs to. mu must be held.
func (t *timeline) add(e Event) {
	e.Text = cut(e.Text, maxError)
	if e.Pool == "" {
		t.own = join(t.own, e, gateEvents)
		return
	}
	p := t.pool(e.Pool)
	p.events = join(p.events, e, poolEvents)
}

// join appends an event. If one of the last few is alike, join counts it there instead,
// and moves that one to the end.
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

// explain adds the cause to the event of an upstream's failure, once.
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

// stands records an upstream's state, and adds an event for a new one. It reads the state
// under mu, so that later callers have later states. lost means that the upstream was
// unavailable, even if it is available again by now.
func (t *timeline) stands(u *balancer.Upstream, lost bool, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	id, status := situation.OfState(u, nil)
	state := stateOf(id)
	if state == evSlow { // Found reports it, with the times
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
		return // a start; evFound reports it
	case state == stDown:
		e.Text = headlineOf(id, status)
	case state == stAvailable:
		e.Text = fmt.Sprintf("was %s for %s", cmp.Or(inWordsOf[before], before), roughly(lasted))
	}
	t.add(e)
}

// headlineOf describes a situation of an upstream in one sentence.
func headlineOf(id situation.ID, status int) string {
	return situation.Of(id).With(situation.Facts{Status: status}).Headline
}

// inWordsOf has the words of states whose name does not fit into a sentence.
var inWordsOf = map[string]string{stTrial: "on trial", stLeaving: "shutting down", stTrusted: "used with failing checks", stChecking: "not checked", stUnready: "not ready"}

// roughly formats a duration as people say it.
func roughly(d time.Duration) string {
	switch {
	case d >= time.Minute:
		return strings.Replace(d.Round(time.Second).String(), "m0s", "m", 1)
	case d >= 10*time.Second:
		return d.Round(time.Second).String()
	}
	return d.Round(100 * time.Millisecond).String()
}

// causes are the causes of the states that always have the same one.
var causes = map[string]string{
	stTrusted: "no upstream passes its checks, but this one answers",
	stEjected: "requests to it failed",
	stTrial:   "it gets a few requests as a trial",
	stLeaving: "it announced its shutdown",
	stUnready: "according to its source or agent",
	stEnding:  "according to its discovery source",
	stDrained: "by an operator",
	stOff:     "by an operator",
}

// members records the upstreams of a pool. If quiet it adds no event.
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

// named returns the number of upstreams, and the names of some.
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

// keep drops the pools that no longer exist.
func (t *timeline) keep(present map[string]map[string]bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for name := range t.pools {
		if present[name] == nil {
			delete(t.pools, name)
		}
	}
}

// of returns the events of a pool and of goodgate itself, latest first; without a name,
// those of all pools.
func (t *timeline) of(pool string, most int) []Event {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := slices.Clone(t.own)
	for name, p := range t.pools {
		if pool == "" || name == pool {
			list = append(list, p.events...)
		}
	}
	slices.Reverse(list) // among events of one moment the last comes first
	slices.SortStableFunc(list, func(a, b Event) int { return b.Time.Compare(a.Time) })
	return append([]Event{}, list[:min(most, len(list))]...)
}

// since returns the beginning of an upstream's state; zero = unknown.
func (t *timeline) since(k balancer.Key) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p := t.pools[k.Pool]; p != nil && p.upstreams[k.Addr] != nil {
		return p.upstreams[k.Addr].since
	}
	return time.Time{}
}

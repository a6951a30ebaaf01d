package admin

import (
	"errors"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/situation"
	"github.com/goodgate/goodgate/proxy"
	"github.com/goodgate/goodgate/reason"
)

// TestPoolTroubles: a pool's troubles are in the present tense while they last, and in
// the past tense ten seconds later.
func TestPoolTroubles(t *testing.T) {
	now := time.Unix(at, 0)
	ended := func(r proxy.Record) proxy.Record {
		r.Pool, r.Start = "app", now
		return r
	}
	for name, c := range map[string]struct {
		record            proxy.Record
		id                situation.ID
		level, later      string
		headline, headed  string
		escaped, upstream int
	}{
		"hold expired": {proxy.Record{Reason: reason.HoldExpired}, situation.HoldExpired, "error", "warning", "Requests wait for an upstream and fail", "Requests waited for an upstream and failed", 1, 0},
		"no upstream":  {proxy.Record{Reason: reason.NoUpstream}, situation.NoUpstream, "error", "warning", "Requests find no upstream", "Requests found no upstream", 1, 0},
		"overloaded":   {proxy.Record{Reason: reason.Overloaded}, situation.Overloaded, "error", "warning", "The pool is overloaded", "The pool was overloaded", 1, 0},
		"internal":     {proxy.Record{Reason: reason.Internal, Err: errors.New("a bug")}, situation.Internal, "error", "warning", "goodgate itself failed", "goodgate itself failed", 0, 0},
		"no retries": {proxy.Record{Reason: reason.UpstreamStatus, Attempts: []proxy.Attempt{{Upstream: "a", Status: 502, Reason: reason.UpstreamStatus, Decision: reason.BudgetSpent}}},
			situation.RetriesStopped, "error", "warning", "Failed requests are not retried", "Failed requests were not retried", 1, 1},
		"held": {proxy.Record{Held: 2 * time.Second, Absorbed: reason.ByHold, Hidden: reason.NoUpstream}, situation.HeldOver, "notice", "notice", "Requests waited until an upstream was available", "Requests waited until an upstream was available", 0, 0},
	} {
		y := new(Tally)
		r := ended(c.record)
		y.observe(&r, at)
		for _, after := range []time.Duration{0, 20 * time.Second} {
			v := y.minute("app", at+int64(after/time.Second))
			p := Pool{Name: "app", Available: 1, Minute: v.minute, seen: v.seen, Upstreams: []Upstream{{Address: "a", Available: true, Operator: "ready", state: situation.Healthy, Minute: v.upstreams["a"]}}}
			level, headline := c.level, c.headline
			if after > 0 {
				level, headline = c.later, c.headed
			}
			all := ranked(p.troubles(now.Add(after)))
			i := slices.IndexFunc(all, func(t Trouble) bool { return t.Situation == string(c.id) })
			if i < 0 || all[i].Level != level || all[i].Headline != headline || !all[i].First.Equal(now) || all[i].Over != (after > 0 || c.id == situation.HeldOver) {
				t.Errorf("%s, after %v: got %+v", name, after, all)
			}
			if int(v.minute.Escaped) != c.escaped || v.upstreams["a"].Escaped != c.upstream {
				t.Errorf("%s: %d errors of the pool, %d of its upstream", name, v.minute.Escaped, v.upstreams["a"].Escaped)
			}
		}
	}
}

// filesShort is a goodgate that has no file descriptor left.
type filesShort struct {
	*fake
	last time.Time
}

func (f filesShort) OutOfFiles() (time.Time, uint64) { return f.last, 1024 }

// TestOwnTroubles covers the troubles of goodgate itself.
func TestOwnTroubles(t *testing.T) {
	for _, c := range []struct {
		ago             time.Duration
		level, headline string
	}{
		{time.Second, "error", "goodgate has run out of file descriptors"},
		{30 * time.Second, "warning", "goodgate ran out of file descriptors"},
		{2 * time.Minute, "", ""},
	} {
		s := New(Options{Control: filesShort{newFake(t), time.Now().Add(-c.ago)}, Requests: new(Ring), Tally: new(Tally)})
		all := ranked(s.ownTroubles(&Status{Now: time.Now()}))
		if len(all) == 0 && c.level == "" {
			continue
		}
		if len(all) != 1 || all[0].Level != c.level || all[0].Headline != c.headline || !strings.Contains(all[0].Text, "limit 1024") || all[0].Do == "" {
			t.Errorf("%v ago: %+v", c.ago, all)
		}
	}
	y := new(Tally)
	for range 3 {
		y.observe(&proxy.Record{Start: time.Unix(at, 0), Reason: reason.Overloaded, Err: errors.New("limits.max_requests")}, at)
	}
	if all := ranked(strayTroubles(y.strays(at), time.Unix(at, 0))); len(all) != 1 || all[0].Situation != string(situation.OwnLimit) || all[0].Level != "error" || !strings.Contains(all[0].Text, "3 of 3 requests") {
		t.Errorf("a limit of its own: %+v", all)
	}
}

// TestStates: the states of an upstream without recent requests.
func TestStates(t *testing.T) {
	now := time.Unix(at, 0)
	for id, want := range map[situation.ID]string{
		situation.BreakerOpen: "warning The upstream was ejected because requests to it failed",
		situation.Trial:       "notice The upstream is being tried again",
		situation.EarlyTrial:  "warning The upstream is tried early because no other is left",
		situation.CheckFails:  "warning The upstream fails its health check",
		situation.Healthy:     "",
		situation.Warming:     "",
	} {
		in := id != situation.BreakerOpen && id != situation.CheckFails
		p := Pool{Name: "app", Available: 1, Upstreams: []Upstream{
			{Address: "a", Available: in, Operator: "ready", state: id, Since: now}, {Address: "b", Available: true, Operator: "ready", state: situation.Healthy},
		}}
		if in {
			p.Available++
		}
		got := ""
		if all := ranked(p.troubles(now)); len(all) > 0 {
			got = all[0].Level + " " + all[0].Headline
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", id, got, want)
		}
	}
}

// TestFlapping: the trouble of a flapping upstream says "flapping", with its last
// state.
func TestFlapping(t *testing.T) {
	now := time.Unix(at, 0)
	u := Upstream{Address: "a", Available: true, Operator: "ready", state: situation.Healthy, flips: 6, Since: now, Minute: minuteOf(9, 2, 1, situation.Refused, 0, now, 0)}
	p := Pool{Name: "app", Available: 2, Upstreams: []Upstream{u, {Address: "b", Available: true, Operator: "ready", state: situation.Healthy}}}
	all := ranked(p.troubles(now))
	if len(all) != 1 || all[0].Situation != string(situation.Flapping) || all[0].Level != "error" || !strings.Contains(all[0].Text, "The upstream refuses connections. 2 of 9 attempts") {
		t.Errorf("got %+v", all)
	}
}

// TestOver: an ended trouble, slow or flapping, is in the past tense.
func TestOver(t *testing.T) {
	now := time.Unix(at, 0)
	y := new(Tally)
	answer := func(began time.Time, took time.Duration) {
		y.observe(&proxy.Record{Pool: "app", Start: began, Duration: took, Attempts: []proxy.Attempt{{Upstream: "a", Status: 200, Took: took}}}, began.Add(took).Unix())
	}
	for i := range 2 * someUsual { // its usual value
		answer(now.Add(-3*time.Minute+time.Duration(i)*time.Second), time.Millisecond)
	}
	for range 4 {
		answer(now, 2*time.Second)
	}
	first := func(at time.Time, change func(*Upstream)) Trouble {
		u := Upstream{Address: "a", Available: true, Operator: "ready", state: situation.Healthy, Minute: y.minute("app", at.Unix()).upstreams["a"]}
		change(&u)
		all := ranked((&Pool{Name: "app", Available: 1, Upstreams: []Upstream{u}}).troubles(at))
		if len(all) != 1 {
			t.Fatalf("got %+v", all)
		}
		return all[0]
	}
	as := func(*Upstream) {}
	if got := first(now.Add(3*time.Second), as); got.Over || got.Level != "warning" || got.Headline != "The upstream answers slowly" {
		t.Errorf("while it is slow: %+v", got)
	}
	answer(now.Add(20*time.Second), time.Millisecond)
	if got := first(now.Add(21*time.Second), as); !got.Over || got.Level != "notice" || got.Headline != "The upstream answered slowly" || !got.Last.Equal(now.Add(2*time.Second)) {
		t.Errorf("once it is fast again: %+v", got)
	}
	flaps := func(u *Upstream) { u.flips, u.Since = manyFlips, now }
	if got := first(now.Add(time.Minute), flaps); got.Over || got.Headline != "The upstream is flapping" {
		t.Errorf("while it comes and goes: %+v", got)
	}
	if got := first(now.Add(3*time.Minute), flaps); !got.Over || got.Headline != "The upstream was flapping" {
		t.Errorf("three minutes later: %+v", got)
	}
}

func TestBrief(t *testing.T) {
	err := error(&os.SyscallError{Syscall: "connect", Err: syscall.ECONNREFUSED})
	if got := brief(err); got != "connection refused" {
		t.Errorf("got %q", got)
	}
	if got := brief(nil); got != "" {
		t.Errorf("of nothing: %q", got)
	}
}

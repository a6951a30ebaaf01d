//go:build !minimal

package gate

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/changes"
	"github.com/goodgate/goodgate/internal/fleet/fleettest"
	"github.com/goodgate/goodgate/internal/situation"
	"github.com/goodgate/goodgate/internal/tickets"
)

// fleetOf is a configuration of an instance by its name.
const fleetOf = `
fleet: {addresses: [%q], secret: "a secret of the test", instance: %s}
zone: %[2]s
pools:
  app:
    upstreams: [%[3]q]
    limits: {rates: [{name: few, on: all, requests: 10, per: 1m, scope: fleet, exact: true}]}
`

func inAFleet(t *testing.T, name, store, upstream string) *stage {
	t.Helper()
	s := &stage{t: t}
	s.run(fleetOf, store, name, upstream)
	return s
}

// let counts the admitted requests.
func (s *stage) let(n int) (got int) {
	for range n {
		if s.get(1) == http.StatusOK {
			got++
		}
	}
	return got
}

// TestFleet checks that two instances know each other, count together, and continue
// when the store is away.
func TestFleet(t *testing.T) {
	t.Parallel()
	store := fleettest.StartRedis(t)
	upstream := (&stage{t: t}).fine()
	a, b := inAFleet(t, "one", store.Address, upstream), inAFleet(t, "two", store.Address, upstream)
	for _, s := range []*stage{a, b} {
		s.until("two members", func(st *admin.Status) bool { return st.Fleet.Connected && len(st.Fleet.Members) == 2 })
		for _, m := range s.status().Fleet.Members {
			if m.Zone != m.Name {
				t.Errorf("%s is shown in zone %q, and runs in the one of its name", m.Name, m.Zone)
			}
		}
		s.until("the same", func(st *admin.Status) bool { return st.Fleet.Differing() == 0 })
		s.available(1)
	}
	// Alone, b would admit all 10. The pauses give a store on a busy machine time to answer.
	if got := a.let(10); got == 0 {
		t.Error("a admitted none of 10")
	}
	left := 10
	for ; left > 0 && b.let(1) == 1; left-- {
		time.Sleep(200 * time.Millisecond)
	}
	if left == 0 {
		t.Error("b admitted 10 requests after a had used up the limit")
	}
	store.Kill()
	a.until("it is told that it is alone", func(st *admin.Status) bool {
		return slices.ContainsFunc(st.Troubles, func(tr admin.Trouble) bool {
			return tr.Situation == string(situation.FleetAlone) && strings.Contains(tr.Text, "it last knew of 2 instances")
		})
	})
	store.Start()
	began := time.Now()
	a.until("connected again", func(st *admin.Status) bool { return st.Fleet.Connected })
	t.Logf("connected again after %v", time.Since(began))
}

// TestFleetChanges checks that a change at one instance applies at all instances, can
// be reverted at any of them, and survives the store.
func TestFleetChanges(t *testing.T) {
	t.Parallel()
	store := fleettest.StartRedis(t)
	upstream := (&stage{t: t}).fine()
	a, b := inAFleet(t, "one", store.Address, upstream), inAFleet(t, "two", store.Address, upstream)
	of := changes.Subject{Kind: changes.State, Pool: "app", Upstream: strings.TrimPrefix(upstream, "http://")}
	in := func(what string, s *stage, want string) {
		t.Helper()
		s.until(what, func(*admin.Status) bool {
			c, ok := s.g.gate.Changes().Find(of)
			return ok && string(c.Value) == want && c.By == "ann" && c.Why == "a test" || !ok && want == ""
		})
	}
	put := func(s *stage, value string) changes.Change {
		t.Helper()
		c, err := s.g.gate.Changes().Put(changes.Change{Subject: of, Value: json.RawMessage(value), By: "ann", Why: "a test", Until: time.Now().Add(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for _, s := range []*stage{a, b} {
		s.until("two members", func(st *admin.Status) bool { return st.Fleet.Connected && len(st.Fleet.Members) == 2 })
	}
	deployed := changes.Change{Subject: changes.Subject{Kind: changes.Deploy, Pool: "app"}, Value: json.RawMessage(`{}`), By: "ann"}
	if _, err := a.g.gate.Changes().Put(deployed); err != nil {
		t.Fatal(err)
	}
	put(a, `"drain"`)
	in("drained", b, `"drain"`)
	if _, err := store.Do("FLUSHALL"); err != nil {
		t.Fatal(err)
	}
	put(b, `"off"`)
	in("off", a, `"off"`)
	late := inAFleet(t, "late", store.Address, upstream)
	in("off for who comes late", late, `"off"`)
	if _, ok := late.g.gate.Changes().Find(deployed.Subject); ok {
		t.Error("a deploy of one instance is another's too: two would judge it")
	}
	c, _ := late.g.gate.Changes().Find(of)
	if _, err := late.g.gate.Changes().TakeBack(c.ID, "ann", "enough"); err != nil {
		t.Fatal(err)
	}
	in("taken back", a, "")
	in("taken back", b, "")
	for _, s := range []*stage{a, b, late} {
		s.until("nothing waits", func(st *admin.Status) bool { return st.Fleet.Waiting == 0 })
	}
}

// TestFleetTickets checks that all instances seal with the same keys.
func TestFleetTickets(t *testing.T) {
	t.Parallel()
	store := fleettest.StartRedis(t)
	upstream := (&stage{t: t}).fine()
	a, b := inAFleet(t, "one", store.Address, upstream), inAFleet(t, "two", store.Address, upstream)
	a.until("the same keys", func(*admin.Status) bool {
		return slices.EqualFunc(a.g.gate.ticketKeys.Keys(time.Now()), b.g.gate.ticketKeys.Keys(time.Now()), func(x, y tickets.Key) bool { return x.Secret == y.Secret })
	})
	if n := len(a.g.gate.ticketKeys.Keys(time.Now())); n != 2 {
		t.Errorf("%d keys, want each one's", n)
	}
	text, err := store.Do("HVALS goodgate{goodgate}:words")
	if err != nil || strings.Contains(text, "secret") {
		t.Errorf("the store has %q, %v", text, err)
	}
}

func TestEventHints(t *testing.T) {
	t.Parallel()
	var h hints
	k, now := balancer.Key{Pool: "app", Addr: "a:1"}, time.Now()
	for _, tc := range []struct {
		from string
		live int
		want bool
	}{{"a", 4, false}, {"a", 4, false}, {"b", 5, false}, {"b", 4, true}, {"c", 5, true}, {"c", 7, false}} {
		if got := h.enough(k, tc.from, tc.live, now); got != tc.want {
			t.Errorf("from %s of %d: got %v", tc.from, tc.live, got)
		}
	}
	if h.enough(k, "d", 2, now.Add(quorumIn+1)) {
		t.Error("breakers of long ago count")
	}
	said := hint{From: "a", Kind: hintRefused, Pool: "app", Upstream: "a:1"}
	first := h.note(said, now)
	said.From = "b"
	if again := h.note(said, now.Add(quietFor/2)); !first || again {
		t.Errorf("told %v, and at once again %v", first, again)
	}
}

//go:build !minimal

package gate

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/changes"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/fleet"
	"github.com/goodgate/goodgate/internal/fleet/fleettest"
)

// TestFleetOverrules checks that a change applies at each instance whose file has the
// value from the time of the change, that the instances report the difference, and that
// the change ends once all have another file.
func TestFleetOverrules(t *testing.T) {
	t.Parallel()
	all, addr := weighted(t)
	a, b := all[0], all[1]
	weight := func(what string, s *stage, want int) {
		t.Helper()
		s.weighs(what, addr, want)
	}
	differ := func(what string, want bool) {
		t.Helper()
		for _, s := range all {
			s.until(what, func(st *admin.Status) bool {
				return slices.ContainsFunc(st.Fleet.Members, func(m admin.FleetMember) bool { return slices.Contains(m.Differs, "changes") }) == want
			})
		}
	}
	a.orderWeight(addr, "7")
	weight("by the change", a, 7)
	weight("by the change", b, 7)
	differ("the same changes", false)
	b.reweigh(3)
	weight("by its file", b, 3)
	weight("by the change", a, 7)
	differ("one has overruled it", true)
	b.reweigh(1)
	weight("by the change again", b, 7)
	b.reweigh(3)
	a.reweigh(3)
	weight("by its file", a, 3)
	for _, s := range all {
		s.until("it is over", func(*admin.Status) bool { return s.endedWords() })
	}
	a.reweigh(1)
	b.reweigh(1)
	weight("by its file", a, 1)
	weight("by its file", b, 1)
}

// TestFleetSettlesWithCurrentFacts: what the members said before a reload is no evidence
// that all files overrule a change.
func TestFleetSettlesWithCurrentFacts(t *testing.T) {
	t.Parallel()
	all, addr := weighted(t)
	all[0].orderWeight(addr, "7")
	for _, s := range all {
		s.weighs("by the change", addr, 7)
	}
	first := all[0] // the one that settles for all
	if first.g.gate.fleet.State().Portion().Place != 0 {
		first = all[1]
	}
	before := first.g.gate.fleet.State()
	first.reweigh(3)
	first.g.gate.fleet.changes.settle(before)
	if first.endedWords() {
		t.Error("the change has ended although one file still has the old value")
	}
}

// weighted starts two instances that share two upstreams, and returns the address of one
// that runs. It has the weight 1.
func weighted(t *testing.T) (all []*stage, addr string) {
	store := fleettest.StartRedis(t)
	upstream := (&stage{t: t}).fine()
	const text = `
fleet: {addresses: [%q], secret: "a secret of the test", instance: %s}
pools: {app: {upstreams: [{url: %q, weight: 1}, {url: "http://127.0.0.1:1", weight: 1}]}}
`
	for _, name := range []string{"one", "two"} {
		s := &stage{t: t}
		s.run(text, store.Address, name, upstream)
		all = append(all, s)
	}
	for _, s := range all {
		s.until("two members", func(st *admin.Status) bool { return len(st.Fleet.Members) == 2 })
		s.until("the upstream", func(st *admin.Status) bool { return len(st.Pools[0].Upstreams) == 2 })
	}
	return all, strings.TrimPrefix(upstream, "http://")
}

// weighs waits until an upstream of the first pool has a weight.
func (s *stage) weighs(what, addr string, want int) {
	s.t.Helper()
	s.until(what, func(st *admin.Status) bool {
		return slices.ContainsFunc(st.Pools[0].Upstreams, func(u admin.Upstream) bool { return u.Address == addr && u.Weight == want })
	})
}

// reweigh loads a file with another weight for the first upstream.
func (s *stage) reweigh(n int) {
	s.t.Helper()
	c := *s.g.gate.current.Load().config
	pool := c.Pools["app"]
	pool.Upstreams = slices.Clone(pool.Upstreams)
	pool.Upstreams[0].Weight = n
	c.Pools = map[string]config.Pool{"app": pool}
	if _, err := s.g.gate.Reload(&c); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) orderWeight(addr, value string) {
	s.t.Helper()
	subject := changes.Subject{Kind: changes.Weight, Pool: "app", Upstream: addr}
	if _, err := s.g.gate.Order(changes.Change{Subject: subject, Value: json.RawMessage(value), By: "ann"}); err != nil {
		s.t.Fatal(err)
	}
}

// endedWords reports whether the fleet remembers a change that has ended.
func (s *stage) endedWords() bool {
	return slices.ContainsFunc(s.g.gate.fleet.Words().All(), func(w fleet.Word) bool { return strings.Contains(string(w.Value), `"ended":true`) })
}

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
	store := fleettest.StartRedis(t)
	upstream := (&stage{t: t}).fine()
	const text = `
fleet: {addresses: [%q], secret: "a secret of the test", instance: %s}
pools: {app: {upstreams: [{url: %q, weight: %d}, {url: "http://127.0.0.1:1", weight: 1}]}}
`
	var all []*stage
	for _, name := range []string{"one", "two"} {
		s := &stage{t: t}
		s.run(text, store.Address, name, upstream, 1)
		all = append(all, s)
	}
	a, b := all[0], all[1]
	for _, s := range all {
		s.until("two members", func(st *admin.Status) bool { return len(st.Fleet.Members) == 2 })
		s.until("the upstream", func(st *admin.Status) bool { return len(st.Pools[0].Upstreams) == 2 })
	}
	addr := strings.TrimPrefix(upstream, "http://")
	weight := func(what string, s *stage, want int) {
		t.Helper()
		s.until(what, func(st *admin.Status) bool {
			return slices.ContainsFunc(st.Pools[0].Upstreams, func(u admin.Upstream) bool { return u.Address == addr && u.Weight == want })
		})
	}
	differ := func(what string, want bool) {
		t.Helper()
		for _, s := range all {
			s.until(what, func(st *admin.Status) bool {
				return slices.ContainsFunc(st.Fleet.Members, func(m admin.FleetMember) bool { return slices.Contains(m.Differs, "changes") }) == want
			})
		}
	}
	reload := func(s *stage, n int) {
		t.Helper()
		c := *s.g.gate.current.Load().config
		pool := c.Pools["app"]
		pool.Upstreams = slices.Clone(pool.Upstreams)
		pool.Upstreams[0].Weight = n
		c.Pools = map[string]config.Pool{"app": pool}
		if _, err := s.g.gate.Reload(&c); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.g.gate.Order(changes.Change{Subject: changes.Subject{Kind: changes.Weight, Pool: "app", Upstream: addr}, Value: json.RawMessage("7"), By: "ann"}); err != nil {
		t.Fatal(err)
	}
	weight("by the change", a, 7)
	weight("by the change", b, 7)
	differ("the same changes", false)
	reload(b, 3)
	weight("by its file", b, 3)
	weight("by the change", a, 7)
	differ("one has overruled it", true)
	reload(b, 1)
	weight("by the change again", b, 7)
	reload(b, 3)
	reload(a, 3)
	weight("by its file", a, 3)
	for _, s := range all {
		s.until("it is over", func(*admin.Status) bool {
			return slices.ContainsFunc(s.g.gate.fleet.Words().All(), func(w fleet.Word) bool { return strings.Contains(string(w.Value), `"ended":true`) })
		})
	}
	reload(a, 1)
	reload(b, 1)
	weight("by its file", a, 1)
	weight("by its file", b, 1)
}

//go:build !minimal

package gate

import (
	"strings"
	"testing"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/deploy"
	"github.com/goodgate/goodgate/internal/fleet/fleettest"
)

// TestFleetDeploy checks that all instances give the new version of a deploy the share
// that the leading instance sets, until it ends, and that no other deploy begins
// meanwhile.
func TestFleetDeploy(t *testing.T) {
	t.Parallel()
	store := fleettest.StartRedis(t)
	const text = `
fleet: {addresses: [%q], secret: "a secret of the test", instance: %s}
pools: {app: {health: {type: none}, upstreams: ["http://127.0.0.1:1", "http://127.0.0.1:2"]}}
`
	begin := func(name string) *stage {
		s := &stage{t: t}
		s.run(text, store.Address, name)
		return s
	}
	a, b := begin("one"), begin("two")
	share := func(what string, s *stage, want float64) {
		t.Helper()
		s.until(what, func(*admin.Status) bool {
			in := s.g.gate.Pools()[0].Introduction()
			return in == nil && want < 0 || in != nil && in.Share == want && len(in.Upstreams) == 1 && in.Upstreams[0] == "127.0.0.1:2"
		})
	}
	leads := deployed{a.g.gate, "app"}
	for _, want := range []float64{0, 0.05, 0.5} {
		leads.Introduce(&balancer.Introduction{Upstreams: []string{"127.0.0.1:2"}, Share: want})
		share("a step", b, want)
	}
	late := begin("late")
	share("who comes late", late, 0.5)
	late.until("its status", func(st *admin.Status) bool { return strings.Contains(st.Pools[0].Deploy, "led by instance one, 50 %") })
	_, err := b.g.gate.deploys.Order(deploy.Order{Pool: "app", To: []string{"http://127.0.0.1:9"}}, "ci")
	if err == nil || !strings.Contains(err.Error(), "led by instance one") {
		t.Errorf("another deploy at the same time: got %v", err)
	}
	if _, err := store.Do("FLUSHALL"); err != nil {
		t.Fatal(err)
	}
	leads.Introduce(nil)
	for _, s := range []*stage{b, late} {
		share("the end", s, -1)
	}
	if led := b.g.gate.fleet.led("app"); led != "" {
		t.Errorf("after the end: %s", led)
	}
}

package metrics

import (
	"testing"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/proxy"
)

func TestSources(t *testing.T) {
	t.Parallel()
	m := New(Build{})
	p := newPool(t)
	m.SetPools(func() []*proxy.Pool { return []*proxy.Pool{p} })
	m.SetSources(func(pool string) []Source {
		return []Source{
			{Name: "consul: " + pool, Upstreams: 2, LeftOut: 1, Looked: time.UnixMilli(1500)},
			{Name: "srv: x", Failing: true, Failures: 3},
		}
	})
	p.Update([]balancer.Spec{{Addr: "a:1", Lifecycle: balancer.NotReady}, {Addr: "b:1"}})
	got := scrape(t, m, "source", "upstream_lifecycle")
	expect(t, got,
		`source_up{pool="app",source="consul: app"} 1`,
		`source_upstreams{pool="app",source="consul: app"} 2`,
		`source_left_out{pool="app",source="consul: app"} 1`,
		`source_last_success_timestamp_seconds{pool="app",source="consul: app"} 1.5`,
		`source_up{pool="app",source="srv: x"} 0`,
		`source_last_success_timestamp_seconds{pool="app",source="srv: x"} 0`,
		`source_failures_total{pool="app",source="srv: x"} 3`,
		`upstream_lifecycle{pool="app",state="not_ready",upstream="a:1"} 1`)
}

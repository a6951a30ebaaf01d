//go:build !minimal

package metrics

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/proxy"
	"github.com/goodgate/goodgate/reason"
)

// TestNames checks the naming conventions, and that docs/metrics.md lists all names.
func TestNames(t *testing.T) {
	t.Parallel()
	m := New(Build{Version: "1"})
	p := newPool(t)
	m.SetPools(func() []*proxy.Pool { return []*proxy.Pool{p} })
	m.Register("log_records_dropped_total", "Dropped.", func() int64 { return 0 })
	m.SetLog(func() map[string]int64 { return map[string]int64{"main": 0} })
	m.SetFleet(func() Fleet { return Fleet{Connected: true, Members: 2} })
	m.ConnState("main")
	m.Resets("main")(1)
	m.HTTP2Failed("main")("x")
	m.ConfigLoaded("hash", time.Now())
	m.Changed(balancer.Change{Upstream: p.Members()[0].Upstream})
	r := plain()
	r.Attempts, r.Held, r.Absorbed, r.Hidden = attempts, time.Second, reason.ByHold, reason.ConnectRefused
	r.Queued, r.DryRun, r.Faults = time.Second, "rate", proxy.FaultDelay
	m.Observe(r)
	r.Reason = reason.RateLimited
	m.Observe(r)
	problems, err := testutil.GatherAndLint(m.registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	page, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	all, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if name := f.GetName(); strings.HasPrefix(name, namespace) && !strings.Contains(string(page), "`"+name+"`") {
			t.Errorf("docs/metrics.md does not mention %s", name)
		}
	}
}

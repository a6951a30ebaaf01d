package metrics

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/proxy"
	"github.com/goodgate/goodgate/reason"
)

var attempts = []proxy.Attempt{
	{Upstream: "a:1", Reason: reason.ConnectRefused, Decision: reason.Retried},
	{Upstream: "b:1", Status: 200, Sent: 10, Decision: reason.Answered},
}

func plain() *proxy.Record {
	return &proxy.Record{
		Route: "all", Pool: "app", Method: "GET", Status: 200, Received: 3, Sent: 5, Duration: 20 * time.Millisecond,
		Attempts: []proxy.Attempt{{Upstream: "a:1", Status: 200, Reused: true, Sent: 10, Decision: reason.Answered}},
	}
}

// newPool returns a pool of a:1 and b:1.
func newPool(t testing.TB) *proxy.Pool {
	t.Helper()
	p, err := proxy.NewPool(balancer.Options{Name: "app"}, proxy.PoolOptions{Retry: proxy.Retry{Budget: 1, BudgetMin: 7}})
	if err != nil {
		t.Fatal(err)
	}
	p.Update([]balancer.Spec{{Addr: "a:1", MaxInFlight: 5}, {Addr: "b:1", Weight: 3, MaxInFlight: 4}})
	t.Cleanup(func() { p.Update(nil) })
	return p
}

// scrape returns the lines about goodgate itself that contain one of the words.
func scrape(t testing.TB, m *Metrics, words ...string) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("got %d: %s", w.Code, w.Body)
	}
	var b strings.Builder
	for line := range strings.Lines(w.Body.String()) {
		for _, word := range words {
			if strings.HasPrefix(line, "goodgate_"+word) {
				b.WriteString(line)
				break
			}
		}
	}
	return b.String()
}

func expect(t testing.TB, got string, want ...string) {
	t.Helper()
	for _, line := range want {
		if !strings.Contains(got, "goodgate_"+line+"\n") {
			t.Errorf("no line %q in\n%s", line, got)
		}
	}
}

func TestObserve(t *testing.T) {
	t.Parallel()
	m := New(Build{Version: "1", Go: "go"})
	p := newPool(t)
	m.SetPools(func() []*proxy.Pool { return []*proxy.Pool{p} })
	expect(t, scrape(t, m, "gateway"), `gateway_errors_escaped_total{pool="app",reason="connect_refused"} 0`)
	m.Observe(plain())
	m.Observe(plain())
	r := plain()
	r.Method, r.Attempts, r.Held, r.Absorbed, r.Hidden = "BREW", attempts, 2*time.Second, reason.ByHold, reason.ConnectRefused
	m.Observe(r)
	r = plain()
	r.Status, r.Reason, r.Attempts = 502, reason.ConnectRefused, attempts[:1]
	m.Observe(r)
	r = plain()
	r.Queued, r.DryRun = time.Second, "per-client"
	r.Status, r.Reason, r.Pool, r.Route, r.Attempts = 404, reason.NoRoute, "", "", nil
	m.Observe(r)
	r = plain()
	r.Status = 299
	m.Observe(r)
	r.Status = 0
	m.Observe(r)
	got := scrape(t, m, "requests", "request", "response", "hold", "gateway", "attempts", "upstream_conn", "queue", "rate")
	expect(t, got,
		`requests_total{code="200",method="GET",pool="app",route="all"} 2`,
		`requests_total{code="200",method="other",pool="app",route="all"} 1`,
		`requests_total{code="502",method="GET",pool="app",route="all"} 1`,
		`requests_total{code="404",method="GET",pool="",route=""} 1`,
		`requests_total{code="2xx",method="GET",pool="app",route="all"} 1`,
		`requests_total{code="none",method="GET",pool="app",route="all"} 1`,
		`request_duration_seconds_bucket{pool="app",route="all",le="0.005"} 0`,
		`request_duration_seconds_bucket{pool="app",route="all",le="0.025"} 6`,
		`request_body_bytes_total{pool="app",route="all"} 18`,
		`response_body_bytes_total{pool="app",route="all"} 30`,
		`hold_duration_seconds_count{pool="app"} 1`,
		`queue_duration_seconds_sum{pool=""} 1`,
		`rate_dry_run_total{rate="per-client"} 1`,
		`requests_failed_total{pool="app",reason="connect_refused"} 1`,
		`requests_failed_total{pool="",reason="no_route"} 1`,
		`gateway_errors_escaped_total{pool="app",reason="connect_refused"} 1`,
		`gateway_errors_absorbed_total{by="hold",pool="app",reason="connect_refused"} 1`,
		`attempts_total{decision="answered",pool="app",reason="none",upstream="a:1"} 4`,
		`attempts_total{decision="retried",pool="app",reason="connect_refused",upstream="a:1"} 2`,
		`upstream_connections_opened_total{pool="app",upstream="b:1"} 1`,
		`upstream_connections_opened_total{pool="app",upstream="a:1"} 0`)
}

// TestForwardAuth: the metrics count each question by its result, and its attempts with
// those of the service's pool. A cached answer has no duration.
func TestForwardAuth(t *testing.T) {
	t.Parallel()
	m := New(Build{})
	for _, outcome := range []proxy.AskedOutcome{proxy.AskedAdmitted, proxy.AskedCache, proxy.AskedCache, proxy.AskedRefused, proxy.AskedFailed} {
		r := plain()
		r.Asked = &proxy.Asked{Pool: "auth", Took: 30 * time.Millisecond, Outcome: outcome}
		if outcome != proxy.AskedCache {
			r.Asked.Attempts = []proxy.Attempt{{Upstream: "s:1", Status: 200, Decision: reason.Answered}}
		}
		m.Observe(r)
	}
	expect(t, scrape(t, m, "forward", "attempts"),
		`forward_auth_requests_total{outcome="admitted",pool="auth",route="all"} 1`,
		`forward_auth_requests_total{outcome="cached",pool="auth",route="all"} 2`,
		`forward_auth_requests_total{outcome="refused",pool="auth",route="all"} 1`,
		`forward_auth_requests_total{outcome="failed",pool="auth",route="all"} 1`,
		`forward_auth_duration_seconds_count{pool="auth",route="all"} 3`,
		`forward_auth_duration_seconds_bucket{pool="auth",route="all",le="0.025"} 0`,
		`attempts_total{decision="answered",pool="auth",reason="none",upstream="s:1"} 3`,
		`attempts_total{decision="answered",pool="app",reason="none",upstream="a:1"} 5`)
}

func TestPools(t *testing.T) {
	t.Parallel()
	m := New(Build{})
	p := newPool(t)
	m.SetPools(func() []*proxy.Pool { return []*proxy.Pool{p} })
	b := p.Members()[1]
	b.SetOperator(balancer.Drain)
	m.Changed(balancer.Change{Upstream: b.Upstream})
	lease, ok := p.Members()[0].TryAcquire()
	if !ok {
		t.Fatal("no lease")
	}
	defer lease.Release()
	lease.Report(balancer.Success, time.Second)
	w, err := p.Wait(0, balancer.WaitLimits{Requests: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Leave()
	expect(t, scrape(t, m, "pool", "upstream"),
		`pool_upstreams{pool="app"} 2`,
		`pool_upstreams_available{pool="app"} 1`,
		`pool_requests_in_flight{pool="app"} 1`,
		`pool_requests_limit{pool="app"} 5`,
		`pool_requests_held{pool="app"} 1`,
		`pool_retry_budget_left{pool="app"} 7`,
		`upstream_available{pool="app",upstream="a:1"} 1`,
		`upstream_available{pool="app",upstream="b:1"} 0`,
		`upstream_probes{pool="app",state="up",upstream="a:1"} 1`,
		`upstream_probes{pool="app",state="down",upstream="a:1"} 0`,
		`upstream_breaker{pool="app",state="closed",upstream="b:1"} 1`,
		`upstream_breaker{pool="app",state="half_open",upstream="b:1"} 0`,
		`upstream_operator{pool="app",state="drain",upstream="b:1"} 1`,
		`upstream_requests_in_flight{pool="app",upstream="a:1"} 1`,
		`upstream_connections_idle{pool="app",upstream="a:1"} 0`,
		`upstream_weight{pool="app",upstream="b:1"} 3`,
		`upstream_resting{pool="app",upstream="a:1"} 0`,
		`upstream_trusted{pool="app",upstream="a:1"} 0`,
		`upstream_transitions_total{pool="app",to="unavailable",upstream="b:1"} 1`)
	if got := scrape(t, m, `upstream_latency_seconds{pool="app",upstream="a:1"}`); !strings.Contains(got, " 0.9") && !strings.Contains(got, " 1") {
		t.Errorf("got %q, want about a second", got)
	}
}

// TestSeriesOfRemovedUpstream: they are bounded although upstreams come and
// go, and do not go before their last counts were collected.
func TestSeriesOfRemovedUpstream(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := New(Build{})
		p := newPool(t)
		m.SetPools(func() []*proxy.Pool { return []*proxy.Pool{p} })
		for i := range 50 {
			addr := fmt.Sprintf("c%d:1", i)
			p.Update([]balancer.Spec{{Addr: addr}})
			m.Changed(balancer.Change{Upstream: p.Members()[0].Upstream, Available: true})
			r := plain()
			r.Attempts = []proxy.Attempt{{Upstream: addr, Reason: reason.ConnectRefused, Decision: reason.Retried}}
			m.Observe(r)
		}
		lines := func() int { return strings.Count(scrape(t, m, "attempts", "upstream"), "upstream=\"c") }
		before := lines()
		time.Sleep(goneFor / 2)
		if got := lines(); got != before {
			t.Errorf("after %v: got %d lines, want %d", goneFor/2, got, before)
		}
		time.Sleep(goneFor)
		lines() // the collection that finds them too old still sends them
		if got, want := lines(), 21; got != want {
			t.Errorf("after %v: got %d lines, want the %d of one upstream", goneFor, got, want)
		}
		if n := len(m.requests.upstreams.keys()); n != 1 {
			t.Errorf("got %d upstreams, want 1", n)
		}
	})
}

func TestConfig(t *testing.T) {
	t.Parallel()
	m := New(Build{Version: "1.2", Revision: "abc", Go: "go1"})
	m.ConfigLoaded("first", time.UnixMilli(1500))
	m.ConfigLoaded("second", time.UnixMilli(2500))
	m.ConfigFailed()
	got := scrape(t, m, "config", "build")
	expect(t, got,
		`config_last_reload_successful 0`,
		`config_last_reload_success_timestamp_seconds 2.5`,
		`config_info{hash="second"} 1`,
		`config_reloads_total{result="ok"} 2`,
		`config_reloads_total{result="failed"} 1`,
		`build_info{goversion="go1",revision="abc",version="1.2"} 1`)
	if strings.Contains(got, "first") {
		t.Errorf("the hash before is still there:\n%s", got)
	}
}

func TestConnections(t *testing.T) {
	t.Parallel()
	m := New(Build{})
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") }))
	srv.Config.ConnState = m.ConnState("main")
	srv.Start()
	res, err := srv.Client().Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, res.Body)
	res.Body.Close()
	expect(t, scrape(t, m, "client"), `client_connections{listener="main"} 1`, `client_connections_accepted_total{listener="main"} 1`)
	srv.Close()
	expect(t, scrape(t, m, "client"), `client_connections{listener="main"} 0`)
}

// Two gates in one process count apart, and at the same time.
func TestConcurrently(t *testing.T) {
	t.Parallel()
	a, b := New(Build{}), New(Build{})
	done := make(chan struct{})
	for i := range 4 {
		go func() {
			for j := range 200 {
				r := plain()
				r.Status = 200 + (i+j)%10
				a.Observe(r)
			}
			done <- struct{}{}
		}()
	}
	for range 4 {
		scrape(t, a, "requests")
		<-done
	}
	expect(t, scrape(t, a, "request"), `request_duration_seconds_count{pool="app",route="all"} 800`)
	if got := scrape(t, b, "requests"); got != "" {
		t.Errorf("the other has counted:\n%s", got)
	}
}

func BenchmarkObserve(b *testing.B) {
	m := New(Build{})
	r := plain()
	b.ReportAllocs()
	for b.Loop() {
		m.Observe(r)
	}
}

// TestObserveAllocatesNothing checks the common case.
func TestObserveAllocatesNothing(t *testing.T) {
	m := New(Build{})
	r := plain()
	if n := testing.AllocsPerRun(100, func() { m.Observe(r) }); n != 0 {
		t.Errorf("got %v allocations, want 0", n)
	}
}

package assemble

import (
	"log/slog"
	"reflect"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/proxy"
)

func parse(t *testing.T, yaml string) *config.Config {
	t.Helper()
	c, _, err := config.Parse("test.yaml", []byte(yaml), nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestEverySettingArrives fails if a key of the configuration has no effect: it sets
// each key to a different value and looks for the value in the options.
func TestEverySettingArrives(t *testing.T) {
	c := parse(t, `
listeners: [":0"]
pools:
  app:
    policy: hash
    hash: {on: path, load: 300%}
    overprovision: 150%
    slow_start: 11s
    protocol: h2
    proxy_protocol: v2
    max_idle_conns: 12
    requests_per_connection: 11
    upstreams: ["http://127.0.0.1:1"]
    breaker: {consecutive: 13, failure_ratio: 14%, min_requests: 15, window: 16s, open_for: 17s, max_open_for: 18s, max_ejected: 19%, statuses: [500, 599]}
    outlier: {min_requests: 19, failure_ratio: 18%, slow_factor: 17, slow_by: 16ms}
    timeouts: {dial: 21s, tls: 22s, response_header: 23s, idle: 24s, keepalive: 25s, ping: 26s, connection_age: 29s, tunnel_idle: 27s, tunnel_lifetime: 28s}
    retry: {attempts: 6, budget: 31%, budget_min: 32, per_try: 33s, statuses: [503-504], max_body: 34B, backoff: 35ms, max_backoff: 36ms, hedge: {after: p99, budget: 37%, min_delay: 38ms}}
    hold: {for: 41s, max_requests: 42, max_body: 43KiB}
    queue: {max_requests: 44, max_wait: 45ms}
    concurrency: {adaptive: true, min: 46, max: 48, start: 47}
    limits: {max_requests: 49, max_body: 50B, rates: [{requests: 51}]}
    stale: {max_size: 512KiB, if_error: 52s}
    cache: {enabled: true, wait: 53s}
    commit: {buffer: 43B}`)
	b := Balancer("app", c.Pools["app"])
	if b.HashLoad != 3 || b.Overprovision != 1.5 || b.SlowStart != 11*time.Second || b.MaxEjected != 0.19 || b.Policy != "hash" || b.Name != "app" {
		t.Errorf("balancer options: %+v", b)
	}
	checkFilled(t, "breaker", reflect.ValueOf(b.Breaker))
	checkFilled(t, "outlier", reflect.ValueOf(b.Outlier))
	x := Pool(c.Pools["app"])
	x.Timeouts.Request = 1 // the routes'
	checkFilled(t, "timeouts", reflect.ValueOf(x.Timeouts))
	checkFilled(t, "tunnel", reflect.ValueOf(x.Tunnel))
	checkFilled(t, "retry", reflect.ValueOf(x.Retry))
	if got, want := x.Retry.Hedge, (proxy.Hedge{Quantile: 0.99, Budget: 0.37, MinDelay: 38 * time.Millisecond}); got != want {
		t.Errorf("hedge: got %+v, want %+v", got, want)
	}
	checkFilled(t, "hold", reflect.ValueOf(x.Hold))
	checkFilled(t, "concurrency", reflect.ValueOf(b.Adaptive))
	checkFilled(t, "queue", reflect.ValueOf(x.Queue))
	if x.Limits.Requests != 49 || x.Limits.MaxBody != 50 {
		t.Errorf("limits: %+v", x.Limits)
	}
	checkFilled(t, "stale", reflect.ValueOf(x.Stale))
	checkFilled(t, "commit", reflect.ValueOf(x.Commit))
	tr := c.Tracing
	tr.Endpoint, tr.Headers = "http://127.0.0.1:1/", config.Headers{"X-Key": "1"}
	traces, _, err := Tracing(tr, "1.2", slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	checkFilled(t, "tracing", reflect.ValueOf(traces))
	w := config.Webhook{URL: "http://127.0.0.1:1/", Secret: "0123456789abcdef", Timeout: time.Second}
	checkFilled(t, "webhook", reflect.ValueOf(Webhook(w, slog.New(slog.DiscardHandler))))
	if x.MaxIdleConns != 12 || x.ConnRequests != 11 || x.Protocol != proxy.HTTP2 || x.ProxyProtocol != proxy.ProxyV2 || x.HashOn == nil {
		t.Errorf("pool options: %+v", x)
	}
}

// TestProtectedByDefault checks that a pool is protected from overload unless the
// configuration says otherwise.
func TestProtectedByDefault(t *testing.T) {
	for yaml, want := range map[string][2]bool{
		"":                                       {true, false},
		"concurrency: {adaptive: auto, max: 50}": {true, false},
		"concurrency: {adaptive: true}":          {false, true},
		"concurrency: {adaptive: false}":         {false, false},
	} {
		c := parse(t, "listeners: [\":0\"]\npools:\n  app:\n    upstreams: [\"http://127.0.0.1:1\"]\n    "+yaml)
		b := Balancer("app", c.Pools["app"])
		if got := [2]bool{b.Protect, b.Adaptive.Enabled}; got != want {
			t.Errorf("%q: protected and always limited: got %v, want %v", yaml, got, want)
		}
	}
}

func checkFilled(t *testing.T, name string, v reflect.Value) {
	t.Helper()
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("%s.%s is zero", name, v.Type().Field(i).Name)
		}
	}
}

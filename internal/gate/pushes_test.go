package gate

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	otlp "go.opentelemetry.io/proto/otlp/metrics/v1"

	"github.com/goodgate/goodgate/internal/lab/otlptest"
	"github.com/goodgate/goodgate/internal/metrics"
)

// pushed is an endpoint for metrics.
type pushed struct {
	*httptest.Server
	mu  sync.Mutex // protects all
	all map[string]*otlp.Metric
}

func startPushed(t *testing.T) *pushed {
	p := &pushed{all: map[string]*otlp.Metric{}}
	p.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		call := otlptest.Metrics(t, r)
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, of := range call.ResourceMetrics {
			for _, s := range of.ScopeMetrics {
				for _, m := range s.Metrics {
					p.all[m.Name] = m
				}
			}
		}
	}))
	t.Cleanup(p.Close)
	return p
}

// value returns the sum of a metric's series; -1 if it has not come.
func (p *pushed) value(name string) float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.all[name]
	if m == nil {
		return -1
	}
	sum := 0.0
	for _, point := range append(m.GetSum().GetDataPoints(), m.GetGauge().GetDataPoints()...) {
		sum += point.GetAsDouble()
	}
	return sum
}

// TestMetricsPushed: without an admin listener, a reload and the end send the last values,
// and counters go on at the next endpoint.
func TestMetricsPushed(t *testing.T) {
	t.Parallel()
	one, two := startPushed(t), startPushed(t)
	const yaml = `
listeners: ["127.0.0.1:0"]
shutdown: {lame_duck: 0s}
metrics: {endpoint: %q, interval: 1h}
pools: {app: {upstreams: [%q], health: {type: none}}}`
	upstream := app(t, "app")
	with := func(endpoint string) string { return fmt.Sprintf(yaml, endpoint, upstream) }
	g := start(t, parse(t, with(one.URL)), Options{Metrics: metrics.New(metrics.Build{Version: "test"})})
	ask := func() {
		t.Helper()
		res, err := http.Get("http://" + g.addrs[0])
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
	const requests, available = "goodgate_requests_total", "goodgate_pool_upstreams_available"
	ask()
	present := g.gate.current.Load().pushes
	g.reload(t, parse(t, with(one.URL)))
	if g.gate.current.Load().pushes != present {
		t.Error("a reload without a change replaces what sends the metrics")
	}
	g.reload(t, parse(t, with(two.URL)))
	eventually(t, "the last values at the old endpoint", func() bool { return one.value(requests) == 1 }, func() string { return fmt.Sprint(one.value(requests)) })
	ask()
	ask()
	g.stop()
	if err := <-g.ended; err != nil {
		t.Error(err)
	}
	g.ended <- nil // for start
	if one.value(requests) != 1 || two.value(requests) != 3 || two.value(available) != 1 {
		t.Errorf("requests: %v at the old endpoint and %v at the new one; %v upstreams are available", one.value(requests), two.value(requests), two.value(available))
	}
}

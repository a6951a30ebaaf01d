// Package otel sends logs, metrics and traces of the built binary to the OpenTelemetry
// Collector's receiver of OTLP. It is a module of its own for its dependencies, and runs by
// hand: go test.
package otel

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/receiver/receivertest"
)

// bound is how long anything may take that should happen soon.
const bound = time.Minute

// collector is the Collector's receiver, with what it has received.
type collector struct {
	address string
	logs    consumertest.LogsSink
	metrics consumertest.MetricsSink
	traces  consumertest.TracesSink
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func startCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{address: freeAddress(t)}
	f := otlpreceiver.NewFactory()
	config := f.CreateDefaultConfig().(*otlpreceiver.Config)
	config.Protocols.HTTP.GetOrInsertDefault().ServerConfig.NetAddr.Endpoint = c.address
	set := receivertest.NewNopSettings(f.Type())
	logs, err := f.CreateLogs(t.Context(), set, config, &c.logs)
	if err != nil {
		t.Fatal(err)
	}
	metrics, err := f.CreateMetrics(t.Context(), set, config, &c.metrics)
	if err != nil {
		t.Fatal(err)
	}
	traces, err := f.CreateTraces(t.Context(), set, config, &c.traces)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []component.Component{logs, metrics, traces} {
		if err := r.Start(t.Context(), componenttest.NewNopHost()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Shutdown(t.Context()) })
	}
	return c
}

// goodgate runs the built binary until use has asked it, and returns when it has ended.
func goodgate(t *testing.T, address, config string, use func()) {
	t.Helper()
	dir := t.TempDir()
	binary := filepath.Join(dir, "goodgate")
	build := exec.Command("go", "build", "-o", binary, "./cmd/goodgate")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	file := filepath.Join(dir, "goodgate.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	c := exec.Command(binary, "run", "--config", file)
	c.Stdout, c.Stderr = &out, &out
	c.Env = append(os.Environ(), "OTEL_RESOURCE_ATTRIBUTES=deployment.environment.name=test")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	end := time.Now().Add(bound)
	for {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
			break
		}
		select {
		case err := <-ended:
			t.Fatalf("%v: %s", err, out.String())
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(end) {
			c.Process.Kill()
			t.Fatalf("it does not serve: %s", out.String())
		}
	}
	use()
	c.Process.Signal(syscall.SIGTERM)
	if err := <-ended; err != nil {
		t.Errorf("%v: %s", err, out.String())
	}
}

// TestCollector: the Collector takes logs, metrics and traces of the same requests.
func TestCollector(t *testing.T) {
	c := startCollector(t)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("hello")) }))
	defer app.Close()
	address := freeAddress(t)
	const requests = 1000
	goodgate(t, address, fmt.Sprintf(`
listeners: [%q]
shutdown: {lame_duck: 0s}
log: {output: "otlp+http://%[2]s", fields: {add: {user_agent: "{header:User-Agent}"}}}
metrics: {endpoint: "http://%[2]s/v1/metrics", interval: 1s, instance: one}
tracing: {endpoint: "http://%[2]s/v1/traces", sample: 100%%}
pools: {app: {upstreams: ["http://127.0.0.1:1", %[3]q]}}
`, address, c.address, app.URL), func() {
		for range requests {
			res, err := http.Get("http://" + address + "/path")
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
		}
	})
	spans := spansOf(c.traces.AllTraces())
	t.Logf("%d records, %d messages of metrics, %d spans", c.logs.LogRecordCount(), len(c.metrics.AllMetrics()), len(spans))
	if n := checkLogs(t, c.logs.AllLogs(), spans); n != requests {
		t.Errorf("%d requests were logged, want %d", n, requests)
	}
	if n := counted(t, c.metrics.AllMetrics()); n != requests {
		t.Errorf("%v requests were counted, want %d", n, requests)
	}
}

// spansOf returns the names of spans by their IDs.
func spansOf(all []ptrace.Traces) map[string]string {
	names := map[string]string{}
	for _, t := range all {
		for _, rs := range t.ResourceSpans().All() {
			for _, ss := range rs.ScopeSpans().All() {
				for _, s := range ss.Spans().All() {
					names[s.TraceID().String()+s.SpanID().String()] = s.Name()
				}
			}
		}
	}
	return names
}

// checkLogs returns the number of requests, each of which has to refer to its span.
func checkLogs(t *testing.T, all []plog.Logs, spans map[string]string) (requests int) {
	t.Helper()
	for _, l := range all {
		for _, rl := range l.ResourceLogs().All() {
			if env, _ := rl.Resource().Attributes().Get("deployment.environment.name"); env.AsString() != "test" {
				t.Fatalf("resource: got %v", rl.Resource().Attributes().AsRaw())
			}
			for _, sl := range rl.ScopeLogs().All() {
				for _, r := range sl.LogRecords().All() {
					if r.Body().AsString() != "GET /path 200" {
						continue
					}
					requests++
					attrs := r.Attributes().AsRaw()
					if attrs["http.response.status_code"] != int64(200) || attrs["user_agent"] != "Go-http-client/1.1" || attrs["client.address"] != "127.0.0.1" {
						t.Fatalf("attributes: got %v", attrs)
					}
					if span := spans[r.TraceID().String()+r.SpanID().String()]; span != "GET default" {
						t.Fatalf("the record refers to the span %q", span)
					}
				}
			}
		}
	}
	return requests
}

// counted returns the last value of the counter of requests.
func counted(t *testing.T, all []pmetric.Metrics) (requests float64) {
	t.Helper()
	for _, m := range all {
		for _, rm := range m.ResourceMetrics().All() {
			for _, sm := range rm.ScopeMetrics().All() {
				for _, m := range sm.Metrics().All() {
					if m.Name() != "goodgate_requests_total" {
						continue
					}
					if m.Type() != pmetric.MetricTypeSum || !m.Sum().IsMonotonic() || m.Sum().AggregationTemporality() != pmetric.AggregationTemporalityCumulative {
						t.Fatalf("got a %v", m.Type())
					}
					requests = 0
					for _, p := range m.Sum().DataPoints().All() {
						requests += p.DoubleValue()
					}
				}
			}
		}
	}
	return requests
}

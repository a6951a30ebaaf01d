//go:build !minimal

package metrics

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	otlpmetrics "go.opentelemetry.io/proto/otlp/metrics/v1"

	"github.com/goodgate/goodgate/internal/lab/otlptest"
	"github.com/goodgate/goodgate/proxy"
	"github.com/goodgate/goodgate/reason"
)

// endpoint takes metrics by OTLP over HTTP.
type endpoint struct {
	*httptest.Server
	got chan struct{} // a value for each message, as long as there is room

	mu       sync.Mutex // protects the fields below
	status   int        // 0 = taken
	messages int
	source   map[string]any
	header   http.Header
	latest   map[string]*otlpmetrics.Metric
}

func newEndpoint(t *testing.T) *endpoint {
	t.Helper()
	e := &endpoint{got: make(chan struct{}, 100), latest: map[string]*otlpmetrics.Metric{}}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		call := otlptest.Metrics(t, r)
		e.mu.Lock()
		defer e.mu.Unlock()
		e.messages++
		e.header = r.Header
		select {
		case e.got <- struct{}{}:
		default:
		}
		if e.status != 0 {
			w.WriteHeader(e.status)
			return
		}
		for _, of := range call.ResourceMetrics {
			e.source = otlptest.Map(of.Resource.Attributes)
			for _, s := range of.ScopeMetrics {
				for _, m := range s.Metrics {
					e.latest[m.Name] = m
				}
			}
		}
	}))
	t.Cleanup(e.Close)
	return e
}

// pushing sends m until the returned function is called, which waits for the last message.
func pushing(t *testing.T, m *Metrics, o PushOptions) (stop func()) {
	t.Helper()
	p, err := m.NewPusher(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { p.Run(ctx) })
	return func() { cancel(); wg.Wait() }
}

// busy returns metrics with values of every kind.
func busy(t *testing.T) *Metrics {
	m := New(Build{Version: "1.2", Go: "go1"})
	pool := newPool(t)
	m.SetPools(func() []*proxy.Pool { return []*proxy.Pool{pool} })
	for i := range 20 {
		r := plain()
		r.Duration = time.Duration(i) * 100 * time.Millisecond
		m.Observe(r)
	}
	failed := plain()
	failed.Status, failed.Reason, failed.Attempts, failed.Route, failed.Duration = 502, reason.ConnectRefused, attempts, "odd \"\nü", time.Minute
	m.Observe(failed)
	return m
}

func labelsOf(all map[string]any) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		list = append(list, fmt.Sprintf("%s=%q", name, all[name]))
	}
	return strings.Join(list, ",")
}

// TestPush: what arrives has the names, labels and values that Prometheus gets.
func TestPush(t *testing.T) {
	t.Parallel()
	e, m := newEndpoint(t), busy(t)
	began := m.start
	pushing(t, m, PushOptions{Endpoint: e.URL, Interval: time.Hour, Headers: map[string]string{"X-Key": "k"}, Gzip: true, Service: "gate", Version: "1.2", Instance: "one"})()
	if e.messages != 1 || e.header.Get("X-Key") != "k" || e.header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("%d messages came, the last with %v", e.messages, e.header)
	}
	if e.source["service.name"] != "gate" || e.source["service.version"] != "1.2" || e.source["service.instance.id"] != "one" {
		t.Errorf("resource: got %v", e.source)
	}
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[dto.MetricType]int{}
	for _, f := range families {
		kinds[f.GetType()]++
		got := e.latest[f.GetName()]
		if got == nil || got.Description != f.GetHelp() {
			t.Errorf("%s: got %v", f.GetName(), got)
			continue
		}
		want := map[string]*dto.Metric{}
		for _, of := range f.Metric {
			labels := map[string]any{}
			for _, l := range of.Label {
				labels[l.GetName()] = strings.ToValidUTF8(l.GetValue(), "\uFFFD")
			}
			want[labelsOf(labels)] = of
		}
		compare(t, f, got, want, began)
	}
	for _, kind := range []dto.MetricType{dto.MetricType_COUNTER, dto.MetricType_GAUGE, dto.MetricType_HISTOGRAM, dto.MetricType_SUMMARY} {
		if kinds[kind] == 0 {
			t.Errorf("the test has no %s", kind)
		}
	}
	if len(e.latest) != len(families) {
		t.Errorf("%d metrics came, want %d", len(e.latest), len(families))
	}
	for name, unit := range map[string]string{"goodgate_request_duration_seconds": "s", "goodgate_response_body_bytes_total": "By", "goodgate_requests_total": "", "goodgate_pool_utilisation_ratio": "1"} {
		if got := e.latest[name].GetUnit(); got != unit {
			t.Errorf("%s: got unit %q, want %q", name, got, unit)
		}
	}
}

// compare compares the series of one metric. Values of goodgate's process may have changed.
func compare(t *testing.T, f *dto.MetricFamily, got *otlpmetrics.Metric, want map[string]*dto.Metric, began time.Time) {
	t.Helper()
	name, own := f.GetName(), strings.HasPrefix(f.GetName(), namespace)
	times := func(start, at uint64) {
		if start != 0 && start < uint64(began.UnixNano()) || at < uint64(began.UnixNano()) || start > at || f.GetType() != dto.MetricType_GAUGE && start == 0 {
			t.Errorf("%s: from %d to %d, began at %d", name, start, at, began.UnixNano())
		}
	}
	points := 0
	switch data := got.Data.(type) {
	case *otlpmetrics.Metric_Sum:
		if !data.Sum.IsMonotonic || data.Sum.AggregationTemporality != otlpmetrics.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE {
			t.Errorf("%s: got %v", name, data.Sum)
		}
		for _, p := range data.Sum.DataPoints {
			points++
			times(p.StartTimeUnixNano, p.TimeUnixNano)
			if w := want[labelsOf(otlptest.Map(p.Attributes))]; w == nil || own && p.GetAsDouble() != w.GetCounter().GetValue() {
				t.Errorf("%s: got %v, want %v", name, p, w)
			}
		}
	case *otlpmetrics.Metric_Gauge:
		for _, p := range data.Gauge.DataPoints {
			points++
			times(p.StartTimeUnixNano, p.TimeUnixNano)
			if w := want[labelsOf(otlptest.Map(p.Attributes))]; w == nil || own && p.GetAsDouble() != w.GetGauge().GetValue() {
				t.Errorf("%s: got %v, want %v", name, p, w)
			}
		}
	case *otlpmetrics.Metric_Histogram:
		if data.Histogram.AggregationTemporality != otlpmetrics.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE {
			t.Errorf("%s: got %v", name, data.Histogram)
		}
		for _, p := range data.Histogram.DataPoints {
			points++
			times(p.StartTimeUnixNano, p.TimeUnixNano)
			w := want[labelsOf(otlptest.Map(p.Attributes))].GetHistogram()
			if p.Count != w.GetSampleCount() || p.GetSum() != w.GetSampleSum() || len(p.BucketCounts) != len(p.ExplicitBounds)+1 {
				t.Errorf("%s: got %v, want %v", name, p, w)
				continue
			}
			var below uint64
			for i, bound := range p.ExplicitBounds {
				below += p.BucketCounts[i]
				if b := w.Bucket[i]; bound != b.GetUpperBound() || below != b.GetCumulativeCount() {
					t.Errorf("%s: bucket %g has %d below, want %v", name, bound, below, b)
				}
			}
			if below+p.BucketCounts[len(p.ExplicitBounds)] != p.Count {
				t.Errorf("%s: the buckets of %v do not make %d", name, p.BucketCounts, p.Count)
			}
		}
	case *otlpmetrics.Metric_Summary:
		for _, p := range data.Summary.DataPoints {
			points++
			times(p.StartTimeUnixNano, p.TimeUnixNano)
			if w := want[labelsOf(otlptest.Map(p.Attributes))].GetSummary(); len(p.QuantileValues) != len(w.GetQuantile()) {
				t.Errorf("%s: got %v, want %v", name, p, w)
			}
		}
	}
	if points != len(want) {
		t.Errorf("%s: %d series, want %d", name, points, len(want))
	}
}

// TestPushInterval: messages come at intervals, the last one at the end, and counts go up
// from the same start.
func TestPushInterval(t *testing.T) {
	t.Parallel()
	e, m := newEndpoint(t), busy(t)
	stop := pushing(t, m, PushOptions{Endpoint: e.URL, Interval: time.Millisecond, Logger: slog.New(slog.DiscardHandler)})
	total := func() (float64, uint64) {
		e.mu.Lock()
		defer e.mu.Unlock()
		for _, p := range e.latest["goodgate_requests_total"].GetSum().GetDataPoints() {
			if otlptest.Map(p.Attributes)["code"] == "200" {
				return p.GetAsDouble(), p.StartTimeUnixNano
			}
		}
		return 0, 0
	}
	<-e.got
	<-e.got
	first, began := total()
	m.Observe(plain())
	stop()
	last, same := total()
	if first != 20 || last != 21 || began != same || began == 0 {
		t.Errorf("first %v since %d, last %v since %d", first, began, last, same)
	}
}

// TestPushFails: the log says once that the endpoint takes nothing, without its address,
// and once that it works again.
func TestPushFails(t *testing.T) {
	t.Parallel()
	e, m := newEndpoint(t), busy(t)
	e.status = http.StatusForbidden
	var log bytes.Buffer
	stop := pushing(t, m, PushOptions{Endpoint: e.URL + "/s3cr3t", Interval: time.Millisecond, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	for range 3 {
		<-e.got
	}
	e.mu.Lock()
	e.status = 0
	e.mu.Unlock()
	stop()
	if text := log.String(); strings.Count(text, "metrics not sent") != 1 || !strings.Contains(text, "answered 403") || strings.Count(text, "metrics are sent again") != 1 || strings.Contains(text, "s3cr3t") {
		t.Errorf("the log says:\n%s", text)
	}
}

// TestPushAway: the end does not wait for an endpoint that is away.
func TestPushAway(t *testing.T) {
	t.Parallel()
	tries := 0
	e := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		tries++
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer e.Close()
	pushing(t, busy(t), PushOptions{Endpoint: e.URL, Interval: time.Hour, Logger: slog.New(slog.DiscardHandler)})()
	if tries != 1 {
		t.Errorf("%d tries, want 1", tries)
	}
}

// TestPushLarge: many series come in messages of bounded size.
func TestPushLarge(t *testing.T) {
	t.Parallel()
	const families, each = 3, 1000
	e, m := newEndpoint(t), New(Build{})
	for family := range families {
		v := newGaugeVec(fmt.Sprint("large_", family), "Many.", "name")
		for i := range each {
			v.WithLabelValues(fmt.Sprint(i, strings.Repeat("n", 600))).Set(float64(i))
		}
		m.registry.MustRegister(v)
	}
	pushing(t, m, PushOptions{Endpoint: e.URL, Interval: time.Hour, Logger: slog.New(slog.DiscardHandler)})()
	e.mu.Lock()
	defer e.mu.Unlock()
	for family := range families {
		if n := len(e.latest[fmt.Sprint("large_", family)].GetGauge().GetDataPoints()); n != each {
			t.Errorf("%d series came, want %d", n, each)
		}
	}
	if e.messages != 2 {
		t.Errorf("they came in %d messages, want 2", e.messages)
	}
}

// TestHistogramBounds: a bucket without a bound is the last one in any case.
func TestHistogramBounds(t *testing.T) {
	t.Parallel()
	for _, buckets := range [][]float64{nil, {1}, {math.Inf(1)}, {1, math.Inf(1)}} {
		h := &dto.Histogram{SampleCount: new(uint64(5)), SampleSum: new(7.5)}
		for _, bound := range buckets {
			count := uint64(5)
			if bound == 1 {
				count = 3
			}
			h.Bucket = append(h.Bucket, &dto.Bucket{UpperBound: &bound, CumulativeCount: &count})
		}
		name := "h"
		kind := dto.MetricType_HISTOGRAM
		e := newEndpoint(t)
		p, _ := New(Build{}).NewPusher(PushOptions{Endpoint: e.URL})
		items := appendFamily(nil, &dto.MetricFamily{Name: &name, Type: &kind, Metric: []*dto.Metric{{Histogram: h}}}, time.Unix(1, 0), time.Unix(2, 0))
		if err := p.client.Send(t.Context(), p.envelope.Wrap(items), nil); err != nil {
			t.Fatal(err)
		}
		got := e.latest["h"].GetHistogram().DataPoints[0]
		want := []uint64{5}
		if slices.Contains(buckets, 1) {
			want = []uint64{3, 2}
		}
		if !slices.Equal(got.BucketCounts, want) || len(got.ExplicitBounds) != len(want)-1 || got.Count != 5 || got.GetSum() != 7.5 {
			t.Errorf("%v: got %v", buckets, got)
		}
	}
}

package series

import (
	"bytes"
	"math"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// library returns the exposition of Prometheus' client library for a registry.
func library(t *testing.T, g prometheus.Gatherer) string {
	t.Helper()
	all, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	for _, family := range all {
		if _, err := expfmt.MetricFamilyToText(&b, family); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

func page(t *testing.T, r *Registry) string {
	t.Helper()
	w := httptest.NewRecorder()
	r.Handler(1).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if got := w.Header().Get("Content-Type"); w.Code != 200 || got != contentType {
		t.Fatalf("%d, %s", w.Code, got)
	}
	return w.Body.String()
}

var observed = []float64{-1, 0, .005, .0050001, .3, 1, 1e9, 1e-9, math.Inf(1)}

var values = []string{"", "a", "b\\c", `"quoted"`, "two\nlines", "ä", "a,b=\"c\"", "10", "9", "\u0000"}

// TestSameAsLibrary counts the same values with both implementations and compares every
// byte.
func TestSameAsLibrary(t *testing.T) {
	own, theirs := new(Registry), prometheus.NewRegistry()
	const help = `Backslash \ and` + "\n" + `line, "quotes".`
	for _, labels := range [][]string{{}, {"z", "a"}, {"pool", "by", "reason"}} {
		suffix := strings.Join(labels, "_")
		c, g := NewCounterVec("c_"+suffix, help, labels...), NewGaugeVec("g_"+suffix, "", labels...)
		h := NewHistogramVec("h_"+suffix, help, []float64{.005, .1, 1, 30}, labels...)
		never := NewCounterVec("never_"+suffix, help, labels...)
		own.MustRegister(c, g, h, never)
		pc := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "c_" + suffix, Help: help}, labels)
		pg := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "g_" + suffix}, labels)
		ph := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "h_" + suffix, Help: help, Buckets: []float64{.005, .1, 1, 30}}, labels)
		theirs.MustRegister(pc, pg, ph, prometheus.NewCounterVec(prometheus.CounterOpts{Name: "never_" + suffix}, labels))
		for i, v := range values {
			of := make([]string, len(labels))
			for j := range of {
				of[j] = values[(i*(j+1))%len(values)]
			}
			for _, c := range []interface {
				Inc()
				Add(float64)
			}{c.WithLabelValues(of...), pc.WithLabelValues(of...)} {
				c.Inc()
				c.Add(float64(i) / 3)
			}
			for _, g := range []Gauge{g.WithLabelValues(of...), pg.WithLabelValues(of...)} {
				g.Set([]float64{1e6, 1e21, -0.5, math.Inf(1), math.Inf(-1), math.NaN(), 123456789, 1764419000.123}[i%8])
				g.Inc()
				g.Dec()
				g.Dec()
			}
			for _, h := range []Observer{h.WithLabelValues(of...), ph.WithLabelValues(of...)} {
				h.Observe(observed[i%len(observed)])
			}
			if len(labels) > 0 && i == len(values)-2 {
				match := map[string]string{labels[0]: v}
				if got, want := c.DeletePartialMatch(match), pc.DeletePartialMatch(match); got != want || got == 0 {
					t.Errorf("dropped %d, want %d", got, want)
				}
				g.Reset()
				pg.Reset()
			}
		}
	}
	own.MustRegister(NewCounterFunc("func_total", "F.", func() float64 { return 7 }))
	theirs.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "func_total", Help: "F."}, func() float64 { return 7 }))
	got, want := page(t, own), library(t, theirs)
	if got != want {
		a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
		for i := range min(len(a), len(b)) {
			if a[i] != b[i] {
				t.Fatalf("line %d:\n%s\nwant\n%s", i+1, a[i], b[i])
			}
		}
		t.Fatalf("%d lines, want %d", len(a), len(b))
	}
}

// TestAnyLabelValue checks that a value that is not UTF-8 does not break the page.
func TestAnyLabelValue(t *testing.T) {
	r, c := new(Registry), NewCounterVec("c", "", "l")
	r.MustRegister(c)
	c.WithLabelValues("\xff\xfe").Inc()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	all, err := parser.TextToMetricFamilies(strings.NewReader(page(t, r)))
	if err != nil || len(all["c"].Metric) != 1 {
		t.Errorf("%v, %v", all, err)
	}
}

var processLine = regexp.MustCompile(`(?m)^((?:go|process)_\S+) \S+$`)

// TestProcess checks that names, types and labels of the runtime and process metrics
// are those of the library. Only the help texts differ.
func TestProcess(t *testing.T) {
	own, theirs := new(Registry), prometheus.NewRegistry()
	own.MustRegister(NewProcess())
	theirs.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	want := strings.Split(processLine.ReplaceAllString(library(t, theirs), "$1"), "\n")
	known := 0
	for line := range strings.Lines(processLine.ReplaceAllString(page(t, own), "$1")) {
		switch line = strings.TrimSuffix(line, "\n"); {
		case slices.Contains(want, line):
			known++
		case !strings.HasPrefix(line, "# HELP "):
			t.Errorf("the library does not have %s", line)
		}
	}
	if known < 2*(1+len(goMetrics)) {
		t.Errorf("only %d lines are the library's", known)
	}
}

func TestProcessValues(t *testing.T) {
	got := systemValues()
	if len(got) == 0 {
		t.Skip("needs Linux")
	}
	want, err := prometheusProcess()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range systemMetrics {
		v, ok := got[m.name]
		if !ok || math.Abs(v-want[m.name]) > want[m.name]/4+3 {
			t.Errorf("%s is %v, %v; want about %v", m.name, v, ok, want[m.name])
		}
	}
}

func prometheusProcess() (map[string]float64, error) {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	all, err := r.Gather()
	values := map[string]float64{}
	for _, f := range all {
		m := f.Metric[0]
		values[f.GetName()] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
	}
	return values, err
}

func TestRegisterTwice(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a name was taken twice")
		}
	}()
	new(Registry).MustRegister(NewCounterVec("c", ""), NewGaugeVec("c", ""))
}

// slow is a collector that reports when it is asked, and then waits for goOn.
type slow struct{ asked, goOn chan struct{} }

func (s slow) Describe(chan<- *Desc) {}
func (s slow) Collect(chan<- Metric) { s.asked <- struct{}{}; <-s.goOn }

// TestConcurrentScrapes checks that a scrape over the limit is refused at once.
func TestConcurrentScrapes(t *testing.T) {
	s := slow{make(chan struct{}), make(chan struct{})}
	r := new(Registry)
	r.MustRegister(s)
	h := r.Handler(1)
	first := httptest.NewRecorder()
	done := make(chan struct{})
	go func() { h.ServeHTTP(first, httptest.NewRequest("GET", "/", nil)); close(done) }()
	<-s.asked
	second := httptest.NewRecorder()
	h.ServeHTTP(second, httptest.NewRequest("GET", "/", nil))
	s.goOn <- struct{}{}
	<-done
	if first.Code != http.StatusOK || second.Code != http.StatusServiceUnavailable {
		t.Errorf("got %d and %d, want 200 and 503", first.Code, second.Code)
	}
}

// TestConcurrently checks the sums of concurrent changes, and gives the race detector
// work.
func TestConcurrently(t *testing.T) {
	r, c, h := new(Registry), NewCounterVec("c", "", "l"), NewHistogramVec("h", "", []float64{1}, "l")
	r.MustRegister(c, h)
	done := make(chan struct{})
	for range 4 {
		go func() {
			for i := range 200 {
				c.WithLabelValues(values[i%2]).Inc()
				h.WithLabelValues("x").Observe(.5)
				c.DeletePartialMatch(map[string]string{"l": "other"})
			}
			done <- struct{}{}
		}()
	}
	for range 4 {
		page(t, r)
		<-done
	}
	for _, want := range []string{`c{l=""} 400`, `c{l="a"} 400`, `h_bucket{l="x",le="1"} 800`, `h_sum{l="x"} 400`} {
		if got := page(t, r); !strings.Contains(got, want+"\n") {
			t.Errorf("no line %q in\n%s", want, got)
		}
	}
}

func BenchmarkCount(b *testing.B) {
	c, h := NewCounterVec("c", "", "l").WithLabelValues("x"), NewHistogramVec("h", "", []float64{.005, .025, .1, 1}, "l").WithLabelValues("x")
	b.ReportAllocs()
	for b.Loop() {
		c.Inc()
		h.Observe(.02)
	}
}

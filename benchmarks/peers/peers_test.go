package main

import (
	"bufio"
	"bytes"
	"strings"
	"testing"
	"text/template"

	"github.com/goodgate/goodgate/internal/config"
)

// TestGoodgateConfig checks that goodgate accepts the configuration used for the
// measurement.
func TestGoodgateConfig(t *testing.T) {
	for _, variant := range []string{"", ruled} {
		t.Run("variant "+variant, func(t *testing.T) { checkGoodgateConfig(t, variant) })
	}
}

func checkGoodgateConfig(t *testing.T, variant string) {
	var text bytes.Buffer
	s := settings{Addr: "127.0.0.1:1", Dir: t.TempDir(), Backends: upstreamAddrs("2", few), Interval: "1s", Variant: variant}
	if err := template.Must(template.ParseFS(configs, "configs/goodgate.yaml")).Execute(&text, &s); err != nil {
		t.Fatal(err)
	}
	c, warnings, err := config.Parse("goodgate.yaml", text.Bytes(), func(string) (string, bool) { return "", false })
	if err != nil || len(warnings) > 0 {
		t.Fatalf("%v %v\n%s", err, warnings, &text)
	}
	if rules := len(c.Routes) > 0 && c.Tracing.Endpoint != ""; rules != (variant == ruled) {
		t.Errorf("rules and traces: got %v", rules)
	}
	p := c.Pools["app"]
	if len(p.Upstreams) != few || p.Health.Path != "/" || !p.Breaker.Enabled || p.Retry.Attempts < 2 || p.Commit.Buffer == 0 {
		t.Errorf("not everything is on: %+v", p)
	}
}

func TestUpstreamAddrs(t *testing.T) {
	seen := map[string]bool{}
	for _, a := range upstreamAddrs("80", 10_000) {
		if seen[a] || !strings.HasPrefix(a, "127.") {
			t.Fatalf("address %s", a)
		}
		seen[a] = true
	}
}

func TestReadHead(t *testing.T) {
	for text, want := range map[string]head{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n":                                  {first: "GET / HTTP/1.1"},
		"HTTP/1.1 200 OK\r\ncontent-length: 12\r\nConnection: Close\r\n\r\n": {"HTTP/1.1 200 OK", 12, true},
	} {
		if got, err := readHead(bufio.NewReader(strings.NewReader(text))); got != want || err != nil {
			t.Errorf("%q: got %+v, %v; want %+v", text, got, err, want)
		}
	}
	if _, err := readHead(bufio.NewReader(strings.NewReader("GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n"))); err == nil {
		t.Error("a length that is no number was taken")
	}
}

func TestJudge(t *testing.T) {
	r := &report{Facts: map[string]*fact{}, Peers: []string{subject, yard}, Picks: map[string]pick{"hash": {NS: 120}, "first": {NS: 5}}}
	w := workload{name: "get1k", title: "GET 1 kB"}
	for _, cpu := range []float64{50, 48, 400} { // the median counts
		r.add(w, subject, sample{CPU: cpu})
	}
	r.add(w, yard, sample{CPU: 40})
	r.fact(subject).StartMS = []float64{20}
	r.judge()
	got := map[string]string{}
	for _, g := range r.Goals {
		got[g.Name] = g.Verdict() + " " + g.Measured
	}
	for name, want := range map[string]string{
		"GET 1 kB: CPU per request, × nginx":    "met 1.25 ×",
		"GET 1 MB: CPU per request, × nginx":    "not measured ",
		"start to the first request served":     "met 20 ms",
		"pick of 10,000, slowest policy (hash)": "missed 120 ns",
		"resident at rest":                      "not measured ",
	} {
		if got[name] != want {
			t.Errorf("%s: got %q, want %q", name, got[name], want)
		}
	}
	var text, html bytes.Buffer
	r.text(&text)
	if err := r.page(&html); err != nil || !strings.Contains(html.String(), "<svg") || !strings.Contains(text.String(), "1.50 ×") {
		t.Errorf("%v\n%s", err, &text)
	}
	if r.failed() {
		t.Error("nothing has failed")
	}
	r.fail(w, "stock", bytes.ErrTooLarge)
	if !r.failed() {
		t.Error("a failure is not told")
	}
}

package admin

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/situation"
	"github.com/goodgate/goodgate/proxy"
)

// fleet is a goodgate of many pools.
type fleet struct {
	fake
	pools []*proxy.Pool
}

func (f *fleet) Pools() []*proxy.Pool { return f.pools }

func newFleet(tb testing.TB, pools, upstreams int) (*fleet, *Server) {
	tb.Helper()
	f := &fleet{}
	for n := range pools {
		p, err := proxy.NewPool(balancer.Options{Name: fmt.Sprint("pool-", n), Policy: "first"}, proxy.PoolOptions{})
		if err != nil {
			tb.Fatal(err)
		}
		specs := make([]balancer.Spec, upstreams)
		for u := range specs {
			specs[u] = balancer.Spec{Addr: fmt.Sprintf("10.0.%d.%d:80", n, u)}
		}
		p.Update(specs)
		tb.Cleanup(func() { p.Update(nil) })
		f.pools = append(f.pools, p)
	}
	s := New(Options{Control: f, Requests: new(Ring), Tally: new(Tally), Journal: NewJournal("")})
	tb.Cleanup(s.Close)
	return f, s
}

// ask requests a path and decodes the answer into v.
func ask(tb testing.TB, s *Server, path string, v any) (bytes int) {
	tb.Helper()
	code, body := call(s, "GET", path, "")
	if code != 200 {
		tb.Fatalf("%s: %d %s", path, code, body)
	}
	if err := json.Unmarshal([]byte(body), v); err != nil {
		tb.Fatalf("%s: %v", path, err)
	}
	return len(body)
}

// TestOverviewAgrees: the overview, a pool's page and the status give the same
// figures.
func TestOverviewAgrees(t *testing.T) {
	f, s := newFleet(t, 3, 4)
	end := time.Now().Add(-2 * slotSeconds * time.Second) // in a slot that has ended
	for n := range 30 {
		r := answered(200, 3*time.Millisecond)
		r.Pool, r.Start, r.Attempts[0].Upstream = "pool-1", end.Add(-time.Duration(n)*100*time.Millisecond), "10.0.1.2:80"
		if n%10 == 0 {
			r.Status, r.Reason, r.Attempts[0].Status, r.Attempts[0].Reason = 502, reason.ConnectRefused, 0, reason.ConnectRefused
		}
		s.opts.Tally.Observe(&r)
		s.opts.Journal.Observe(&r)
	}
	f.pools[1].Members()[0].SetOperator(balancer.Drain)
	f.pools[1].Members()[3].SetOperator(balancer.Off)
	s.opts.Journal.look(f.pools, time.Now())
	var o Overview
	var d Detail
	var status Status
	ask(t, s, "/v1/overview", &o)
	ask(t, s, "/v1/overview/pool-1", &d)
	ask(t, s, "/v1/status", &status)
	line := o.Pools[1]
	if line.Name != "pool-1" || line.Available != 2 || line.Total != 4 || line.Letters != "raao" || line.States[stDrained] != 1 || line.States[stAvailable] != 2 {
		t.Errorf("the line %+v", line)
	}
	p := status.Pools[1]
	if line.Requests != 30 || line.Escaped != 3 || p.Minute.Sums != line.Sums || line.Rate != p.Demand.Rate {
		t.Errorf("the line %+v, the status %+v", line, p)
	}
	if fmt.Sprint(d.Line) != fmt.Sprint(line) {
		t.Errorf("the pool's page has %+v, the overview %+v", d.Line, line)
	}
	if sum(line.Spark) != 30 || sum(line.Seen) != 3 || sum(d.Hour.Requests) != 30 || sum(d.Hour.Escaped) != 3 {
		t.Errorf("history: spark %v %v", line.Spark, line.Seen)
	}
	if len(d.More) != 4 || d.More[0].State != stDrained || d.More[2].Traffic.Classes[1] != 27 || d.More[3].Since.IsZero() {
		t.Errorf("the upstreams %+v", d.More)
	}
	if o.Pools[0].Seen != nil || o.Pools[0].Level != "" || o.Pools[0].Letters != "aaaa" {
		t.Errorf("a quiet pool: %+v", o.Pools[0])
	}
}

// TestOverviewIsSmall: 100 pools of 20 failing upstreams fit into a page's request
// every two seconds.
func TestOverviewIsSmall(t *testing.T) {
	f, s := newFleet(t, 100, 20)
	end := time.Now().Add(-2 * time.Second)
	for _, p := range f.pools {
		for _, m := range p.Members() {
			r := proxy.Record{Pool: p.Name(), Start: end, Status: 502, Reason: reason.ConnectRefused, Path: "/" + strings.Repeat("x", 5000),
				Attempts: []proxy.Attempt{{Upstream: m.Addr(), Reason: reason.ConnectRefused}}}
			s.opts.Tally.Observe(&r)
			s.opts.Journal.Observe(&r)
			s.opts.Requests.Observe(&r)
		}
	}
	s.opts.Journal.look(f.pools, time.Now())
	var o Overview
	if n := ask(t, s, "/v1/overview", &o); n > 100<<10 {
		t.Errorf("%d bytes", n)
	}
	if len(o.Troubles) > 2 || o.Troubles[0].Count != 2000 || len(o.Troubles[0].Members) != groupShown {
		t.Fatalf("%d groups, the first of %d", len(o.Troubles), o.Troubles[0].Count)
	}
	if want := "2000 upstreams in 100 pools: the upstream refused connections"; o.Troubles[0].Summary != want {
		t.Errorf("got %q, want %q", o.Troubles[0].Summary, want)
	}
	var d Detail
	if n := ask(t, s, "/v1/overview/pool-7", &d); n > 120<<10 || len(d.Troubles) != 20 {
		t.Errorf("a pool's page: %d bytes, %d troubles", n, len(d.Troubles))
	}
	if n := ask(t, s, fmt.Sprintf("/v1/overview/pool-7?from=%d", time.Now().Unix()), &d); n > 80<<10 {
		t.Errorf("a pool's page, once its history is there: %d bytes", n)
	}
}

func TestGrouped(t *testing.T) {
	refused, none := string(situation.Refused), string(situation.NoneAvailable)
	got := grouped([]Trouble{
		{Level: "error", Situation: refused, Pool: "a", Upstream: "1", Text: "first"},
		{Level: "error", Situation: refused, Pool: "a", Upstream: "2", Text: "second"},
		{Level: "error", Situation: none, Pool: "b"},
		{Level: "warning", Situation: refused, Pool: "c", Upstream: "1"},
		{Level: "notice", Situation: refused, Pool: "a", Upstream: "1", Over: true, Headline: "The upstream refused connections"},
		{Level: "notice", Situation: refused, Pool: "c", Upstream: "1", Over: true, Headline: "The upstream refused connections"},
		{Level: "error", Situation: none, Pool: "c"},
	})
	var lines []string
	for _, g := range got {
		lines = append(lines, fmt.Sprintf("%s %d %q %q %v", g.Level, g.Count, g.Summary, g.Text, g.Members))
	}
	want := []string{
		`error 2 "2 upstreams in 1 pool refuse connections" "first" [{a 1} {a 2}]`,
		`error 2 "2 pools have no available upstream" "" [{b } {c }]`,
		`warning 1 "" "" []`,
		`notice 2 "2 upstreams in 2 pools: the upstream refused connections" "" [{a 1} {c 1}]`,
	}
	if strings.Join(lines, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
}

// TestManyHasAllFaults fails when a fault of an upstream has no words for several.
func TestManyHasAllFaults(t *testing.T) {
	for id := range manyWords {
		if !situation.Known(id) {
			t.Errorf("%s is not in the table", id)
		}
	}
	for _, r := range reason.All() {
		if id := situation.OfReason(r, nil); r.Fault() == reason.FaultUpstream && situation.Of(id).Level > situation.Silent && manyWords[id] == "" {
			t.Errorf("no words for several that are in the situation %s", id)
		}
	}
}

// TestLettersAreUnique: the page distinguishes states by their letters.
func TestLettersAreUnique(t *testing.T) {
	script, err := page.ReadFile("page/state.js")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[byte]string{}
	for state, letter := range letters {
		if other := seen[letter]; other != "" {
			t.Errorf("%s and %s have the letter %c", state, other, letter)
		}
		seen[letter] = state
		if !strings.Contains(string(script), fmt.Sprintf("letter: %q", string(letter))) || !strings.Contains(string(script), "  "+state+": {") {
			t.Errorf("page/state.js lacks %s, %c", state, letter)
		}
	}
}

// TestEventsHaveWords: the page has a word for every kind of event.
func TestEventsHaveWords(t *testing.T) {
	script, err := page.ReadFile("page/state.js")
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{evStarted, evReload, evConfigFailed, evCertificate, evFound, evGone, evLookup, evSlow, evSteady, evAlike, evUnalike, evSplit, evSplitBack, evFault, evPurge, evDeploy, evPaused, evResumed, evClosed, evReopened} {
		if !strings.Contains(string(script), "  "+kind+": {") {
			t.Errorf("page/state.js lacks %s", kind)
		}
	}
}

func TestDetailRefuses(t *testing.T) {
	_, s := newFleet(t, 1, 1)
	for path, want := range map[string]int{
		"/v1/overview/nobody": 404, "/v1/overview/pool-0?from=yesterday": 400, "/v1/overview/pool-0?from=-5": 200,
		"/v1/overview/pool-0?from=9223372036854775807": 200, "/v1/overview/pool-0?from=-9223372036854775808": 200, "/v1/timeline": 200, "/v1/wiring": 200,
	} {
		if code, body := call(s, "GET", path, ""); code != want {
			t.Errorf("%s: %d %.200s, want %d", path, code, body, want)
		}
	}
}

func BenchmarkOverview(b *testing.B)   { benchmark(b, "/v1/overview") }
func BenchmarkPoolsPage(b *testing.B)  { benchmark(b, "/v1/overview/pool-7?from=9000000000") }
func BenchmarkFullStatus(b *testing.B) { benchmark(b, "/v1/status") }

// benchmark queries a goodgate with 100 pools of 20 upstreams, all with traffic.
func benchmark(b *testing.B, path string) {
	f, s := newFleet(b, 100, 20)
	now := time.Now()
	for second := range 60 {
		for _, p := range f.pools {
			for _, m := range p.Members() {
				r := answered(200, time.Duration(1+second)*time.Millisecond)
				r.Pool, r.Start, r.Upstream, r.Attempts[0].Upstream = p.Name(), now.Add(-time.Duration(second)*time.Second), m.Addr(), m.Addr()
				s.opts.Tally.Observe(&r)
				s.opts.Journal.Observe(&r)
			}
		}
	}
	s.opts.Journal.look(f.pools, now)
	size := 0
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("GET", "http://127.0.0.1:9900"+path, nil))
		size = w.Body.Len()
	}
	b.ReportMetric(float64(size), "bytes/answer")
}

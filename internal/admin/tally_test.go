package admin

import (
	"reflect"
	"testing"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/proxy"
)

// at is when the records of a test end.
const at = 1_000_000_020

// tallied returns a tally of records that all end at one moment.
func tallied(records ...proxy.Record) *Tally {
	t := new(Tally)
	for i := range records {
		t.observe(&records[i], at)
	}
	return t
}

var (
	wentWell = proxy.Record{Pool: "app", Duration: 10 * time.Millisecond, Attempts: []proxy.Attempt{{Upstream: "a", Status: 200, Took: 8 * time.Millisecond}}}
	sentOn   = proxy.Record{Pool: "app", Duration: 20 * time.Millisecond, Absorbed: reason.ByRetry, Hidden: reason.UpstreamStatus, Attempts: []proxy.Attempt{
		{Upstream: "b", Status: 503, Reason: reason.UpstreamStatus, After: 1}, {Upstream: "a", Status: 200, Took: 4 * time.Millisecond}}}
	seen   = proxy.Record{Pool: "app", Reason: reason.ConnectRefused, Attempts: []proxy.Attempt{{Upstream: "c", Reason: reason.ConnectRefused, After: 1}}}
	hedged = proxy.Record{Pool: "app", Duration: 12 * time.Millisecond, Absorbed: reason.ByHedge, Attempts: []proxy.Attempt{
		{Upstream: "b", Took: 10 * time.Millisecond, Decision: reason.LostRace}, {Upstream: "a", Status: 200, Took: 6 * time.Millisecond, Because: "late"}}}
	left   = proxy.Record{Pool: "app", Reason: reason.ClientGone, Attempts: []proxy.Attempt{{Upstream: "a", Reason: reason.ClientGone}}}
	queued = proxy.Record{Pool: "app", Queued: 30 * time.Millisecond}
	full   = proxy.Record{Pool: "app", Queued: 50 * time.Millisecond, Reason: reason.Overloaded}
)

func TestTallyOfAPool(t *testing.T) {
	y := tallied(wentWell, wentWell, sentOn, seen, left, queued, full, hedged)
	v := y.minute("app", at+1)
	want := Counts{
		Requests:   8,
		Escaped:    map[string]uint64{"connect_refused": 1, "overloaded": 1},
		Absorbed:   map[string]map[string]uint64{"retry": {"upstream_status": 1}},
		Refused:    map[string]uint64{"client_gone": 1},
		MadeFaster: 1,
	}
	if !reflect.DeepEqual(v.counts, want) {
		t.Errorf("got %+v, want %+v", v.counts, want)
	}
	if want := (Sums{Requests: 8, Escaped: 2, Hidden: 1, MadeFaster: 1, Refused: 1}); v.totals != want || v.minute.Sums != want {
		t.Errorf("since the start %+v, in the last minute %+v, want %+v", v.totals, v.minute.Sums, want)
	}
	last, past := pastSeconds-1, v.past
	if past.Requests[last] != 8 || past.Escaped[last] != 2 || past.Absorbed[last] != 1 || past.Refused[last] != 1 || past.MadeFaster[last] != 1 || past.Requests[last-1] != 0 {
		t.Errorf("the last second: %+v", past)
	}
	if past.P99MS[last] < 18 || past.P99MS[last] > 22 {
		t.Errorf("p99 %v ms, want about 20", past.P99MS[last])
	}
	if v.minute.P50MS != 0 || v.minute.P99MS != 0 || v.minute.LongestMS != 20 {
		t.Errorf("of eight requests there is no percentile: %+v", v.minute)
	}
	if v.recent.perSecond != .8 || v.recent.refusals != .1 || v.recent.queue != 40*time.Millisecond {
		t.Errorf("the last seconds: %+v", v.recent)
	}
	if v := y.minute("app", at+1+pastSeconds); v.past.Requests[0] != 0 || v.minute.Requests != 0 || v.totals.Requests != 8 {
		t.Errorf("a minute later: %+v", v.minute)
	}
	if v := y.minute("other", at); v.counts.Requests != 0 || v.past.Requests == nil {
		t.Errorf("a pool without requests: %+v", v.counts)
	}
}

// TestTallyInOneStep: at every moment, the sums of the pool equal those of its
// upstreams. Before, attempts were visible at once, and the pool's sums a second later.
func TestTallyInOneStep(t *testing.T) {
	y := new(Tally)
	r := seen
	for now := int64(at); now < at+3*pastSeconds; now++ {
		y.observe(&r, now)
		for _, later := range []int64{0, 1, 9} {
			v := y.minute("app", now+later)
			if u := v.upstreams["c"]; v.minute.Escaped == 0 || u.Attempts != int(v.minute.Requests) || u.Escaped != int(v.minute.Escaped) || u.Failed != u.Escaped {
				t.Fatalf("after %d s, %d s later: pool %+v, its upstream %+v", now-at, later, v.minute.Sums, u)
			}
		}
	}
}

func TestTallyOfAnUpstream(t *testing.T) {
	y := tallied(wentWell, sentOn, seen, left, hedged)
	when := time.Time{}
	for addr, want := range map[string]Minute{
		"a": {Attempts: 4, Answered: 3, MeanMS: 6, LongestMS: 8, LastGood: when.Add(8 * time.Millisecond), Reasons: map[string]int{}},
		"b": {Attempts: 2, Failed: 1, Abandoned: 1, Late: 1, Answered: 1, Reasons: map[string]int{"upstream_status": 1}, Status: 503, LastFailed: when.Add(1)},
		"c": {Attempts: 1, Failed: 1, Escaped: 1, Reasons: map[string]int{"connect_refused": 1}, LastFailed: when.Add(1)},
		"d": {Reasons: map[string]int{}},
	} {
		got := y.upstream(balancer.Key{Pool: "app", Addr: addr}, at+5)
		got.seen, got.late = nil, nil
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", addr, got, want)
		}
	}
	if got := y.upstream(balancer.Key{Pool: "app", Addr: "a"}, at+pastSeconds+pieceLength); got.Attempts != 0 {
		t.Errorf("a minute later: %+v", got)
	}
}

// TestCulprit: an error that a client saw is laid at the upstream that it came from.
func TestCulprit(t *testing.T) {
	refused := proxy.Attempt{Upstream: "a", Reason: reason.ConnectRefused, Decision: reason.Retried}
	status := proxy.Attempt{Upstream: "b", Status: 502, Reason: reason.UpstreamStatus}
	for name, c := range map[string]struct {
		r    proxy.Record
		want int
	}{
		"answered":                   {proxy.Record{Attempts: []proxy.Attempt{refused, {Upstream: "b", Status: 200}}}, -1},
		"the last one's error":       {proxy.Record{Reason: reason.UpstreamStatus, Upstream: "b", Attempts: []proxy.Attempt{refused, status}}, 1},
		"no upstream could be tried": {proxy.Record{Reason: reason.HoldExpired}, -1},
		"no upstream was reachable":  {proxy.Record{Reason: reason.HoldExpired, Attempts: []proxy.Attempt{refused}}, 0},
		"broke off later":            {proxy.Record{Reason: reason.ResponseTruncated, Upstream: "b", Attempts: []proxy.Attempt{refused, {Upstream: "b", Status: 200}}}, 1},
		"overloaded":                 {proxy.Record{Reason: reason.Overloaded, Attempts: []proxy.Attempt{refused}}, -1},
		"the client left":            {proxy.Record{Reason: reason.ClientGone, Attempts: []proxy.Attempt{refused}}, -1},
	} {
		if got := culprit(&c.r); got != c.want {
			t.Errorf("%s: got attempt %d, want %d", name, got, c.want)
		}
	}
}

// TestTallyForgets: addresses that come and go do not fill the memory.
func TestTallyForgets(t *testing.T) {
	y := tallied(wentWell)
	later := wentWell
	later.Attempts = []proxy.Attempt{{Upstream: "z", Status: 200}}
	y.observe(&later, at+goneAfter+1)
	if all := y.pools["app"].upstreams; all["a"] != nil || len(all) != 1 {
		t.Errorf("kept %v", all)
	}
}

func TestHistogram(t *testing.T) {
	var h histogram
	if got := h.quantile(.5); got != 0 {
		t.Errorf("of nothing: %v", got)
	}
	for i := range 1000 {
		h.add(time.Duration(i+1) * time.Millisecond)
	}
	h.add(time.Hour)
	for q, want := range map[float64]time.Duration{.5: 500 * time.Millisecond, .99: 990 * time.Millisecond} {
		if got := h.quantile(q); got < want*88/100 || got > want*112/100 {
			t.Errorf("quantile %v: got %v, want about %v", q, got, want)
		}
	}
}

// BenchmarkTally measures the cost of a plain request with an admin listener.
func BenchmarkTally(b *testing.B) {
	y := new(Tally)
	b.ReportAllocs()
	for b.Loop() {
		y.Observe(&wentWell)
	}
}

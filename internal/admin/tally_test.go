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
		{Upstream: "b", Status: 503, Reason: reason.UpstreamStatus}, {Upstream: "a", Status: 200, Took: 4 * time.Millisecond}}}
	seen   = proxy.Record{Pool: "app", Reason: reason.ConnectRefused, Attempts: []proxy.Attempt{{Upstream: "c", Reason: reason.ConnectRefused}}}
	left   = proxy.Record{Pool: "app", Reason: reason.ClientGone, Attempts: []proxy.Attempt{{Upstream: "a", Reason: reason.ClientGone}}}
	queued = proxy.Record{Pool: "app", Queued: 30 * time.Millisecond}
	full   = proxy.Record{Pool: "app", Queued: 50 * time.Millisecond, Reason: reason.Overloaded}
)

func TestTallyOfAPool(t *testing.T) {
	y := tallied(wentWell, wentWell, sentOn, seen, left, queued, full)
	counts, past, sum := y.pool("app", at+1)
	want := Counts{
		Requests: 7,
		Escaped:  map[string]uint64{"connect_refused": 1, "overloaded": 1},
		Absorbed: map[string]map[string]uint64{"retry": {"upstream_status": 1}},
		Refused:  map[string]uint64{"client_gone": 1},
	}
	if !reflect.DeepEqual(counts, want) {
		t.Errorf("got %+v, want %+v", counts, want)
	}
	last := pastSeconds - 1
	if past.Requests[last] != 7 || past.Escaped[last] != 2 || past.Absorbed[last] != 1 || past.Refused[last] != 1 || past.Requests[last-1] != 0 {
		t.Errorf("the last second: %+v", past)
	}
	if past.P99MS[last] < 18 || past.P99MS[last] > 22 {
		t.Errorf("p99 %v ms, want about 20", past.P99MS[last])
	}
	if sum.requests != 7 || sum.overloaded != 1 || sum.perSecond != .7 || sum.refusals != .1 || sum.queue != 40*time.Millisecond {
		t.Errorf("the sum: %+v", sum)
	}
	if _, past, _ := y.pool("app", at+1+pastSeconds); past.Requests[0] != 0 {
		t.Errorf("a minute later: %v", past.Requests)
	}
	if counts, _, _ := y.pool("other", at); counts.Requests != 0 {
		t.Errorf("a pool without requests: %+v", counts)
	}
}

func TestTallyOfAnUpstream(t *testing.T) {
	y := tallied(wentWell, sentOn, seen, left)
	for addr, want := range map[string]Minute{
		"a": {Attempts: 3, MeanMS: 6, Reasons: map[string]int{}},
		"b": {Attempts: 1, Failed: 1, Reasons: map[string]int{"upstream_status": 1}, Status: 503},
		"c": {Attempts: 1, Failed: 1, Reasons: map[string]int{"connect_refused": 1}},
		"d": {Reasons: map[string]int{}},
	} {
		got := y.upstream(balancer.Key{Pool: "app", Addr: addr}, at+5)
		if addr == "b" {
			got.MeanMS = 0
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", addr, got, want)
		}
	}
	if got := y.upstream(balancer.Key{Pool: "app", Addr: "a"}, at+pastSeconds+pieceLength); got.Attempts != 0 {
		t.Errorf("a minute later: %+v", got)
	}
}

// TestTallyForgets: addresses that come and go do not fill the memory.
func TestTallyForgets(t *testing.T) {
	y := tallied(wentWell)
	later := wentWell
	later.Attempts = []proxy.Attempt{{Upstream: "z", Status: 200}}
	y.observe(&later, at+goneAfter+1)
	if _, there := y.upstreams[balancer.Key{Pool: "app", Addr: "a"}]; there || len(y.upstreams) != 1 {
		t.Errorf("kept %v", y.upstreams)
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

// BenchmarkTally is what a plain request costs when there is an admin listener.
func BenchmarkTally(b *testing.B) {
	y := new(Tally)
	b.ReportAllocs()
	for b.Loop() {
		y.Observe(&wentWell)
	}
}

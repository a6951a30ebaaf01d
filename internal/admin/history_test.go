package admin

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/internal/lab/heaptest"
	"github.com/goodgate/goodgate/proxy"
)

// answered is a record of a request that one attempt answered.
func answered(status int, took time.Duration) proxy.Record {
	return proxy.Record{Pool: "app", Upstream: "a", Status: status, Duration: took, Received: 10, Sent: 1000,
		Attempts: []proxy.Attempt{{Upstream: "a", Status: status, Took: took, Decision: reason.Answered}}}
}

func TestHourOfAPool(t *testing.T) {
	var h history
	start := int64(1_000_000_020)
	hedged := answered(200, 5*time.Millisecond)
	hedged.Absorbed = reason.ByHedge
	saved := answered(200, 5*time.Millisecond)
	saved.Absorbed, saved.Hidden = reason.ByRetry, reason.ConnectRefused
	lost := proxy.Record{Pool: "app", Status: 502, Reason: reason.ConnectRefused, Duration: time.Second}
	gone := proxy.Record{Pool: "app", Status: 499, Reason: reason.ClientGone}
	for _, r := range []proxy.Record{answered(204, 5*time.Millisecond), answered(302, 5*time.Millisecond), answered(404, 5*time.Millisecond), hedged, saved, lost, gone, {Pool: "", Status: 404}} {
		h.observe(&r, start)
	}
	later := answered(500, 40*time.Millisecond)
	h.observe(&later, start+slotSeconds)

	got := h.hour("app", start, start+2*slotSeconds)
	want := Hour{
		Start: start, Step: slotSeconds, Requests: []uint32{7, 1}, Escaped: []uint32{1, 0}, Hidden: []uint32{1, 0}, Faster: []uint32{1, 0}, Refused: []uint32{1, 0},
		Classes:  [statusClasses][]uint32{{0, 0}, {3, 0}, {1, 0}, {2, 0}, {1, 1}},
		Received: []uint64{50, 10}, Sent: []uint64{5000, 1000},
		P50MS: got.P50MS, P99MS: got.P99MS,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for i, want := range [][2]float64{{5, 1000}, {40, 40}} {
		if p50, p99 := got.P50MS[i], got.P99MS[i]; p50 < .85*want[0] || p50 > 1.15*want[0] || p99 < .85*want[1] || p99 > 1.15*want[1] {
			t.Errorf("slot %d: p50 %v and p99 %v, want about %v", i, p50, p99, want)
		}
	}
	if got := h.hour("app", start+slotSeconds, start+2*slotSeconds); got.Start != start+slotSeconds || !reflect.DeepEqual(got.Requests, []uint32{1}) {
		t.Errorf("from the second slot on: %+v", got)
	}
	if got := h.hour("app", start+2*slotSeconds, start+2*slotSeconds); len(got.Requests) != 0 {
		t.Errorf("nothing is new: %+v", got)
	}
	if got := h.hour("app", start+7*86400, start+2*slotSeconds); len(got.Requests) != 0 {
		t.Errorf("from the future on: %+v", got)
	}
}

// TestHourEnds: events are forgotten after an hour, and do not return when their place
// is reused.
func TestHourEnds(t *testing.T) {
	var h history
	r := answered(200, time.Millisecond)
	h.observe(&r, 1_000_000_020)
	now := int64(1_000_000_020 + 3600)
	got := h.hour("app", 0, now)
	if n := len(got.Requests); n != historySlots-1 {
		t.Errorf("%d slots, want %d", n, historySlots-1)
	}
	if n := sum(got.Requests); n != 0 {
		t.Errorf("%d requests of more than an hour ago", n)
	}
	h.observe(&r, now)
	if got := h.hour("app", 0, now+slotSeconds); sum(got.Requests) != 1 || got.Requests[len(got.Requests)-1] != 1 {
		t.Errorf("an hour later: %v", got.Requests)
	}
}

// TestHourOutOfOrder: a request that ends in the slot before the one that is open
// counts, and a clock that was set back does no harm.
func TestHourOutOfOrder(t *testing.T) {
	var h history
	r := answered(200, time.Millisecond)
	for _, at := range []int64{1_000_000_020, 1_000_000_030, 1_000_000_029, 1_000_000_030, 999_000_000, 999_000_010} {
		h.observe(&r, at)
	}
	if got := h.hour("app", 1_000_000_020, 1_000_000_040); !reflect.DeepEqual(got.Requests, []uint32{1, 3}) || got.P50MS[1] == 0 {
		t.Errorf("got %+v", got)
	}
	if got := h.hour("app", 999_000_000, 999_000_020); !reflect.DeepEqual(got.Requests, []uint32{1, 1}) {
		t.Errorf("after the clock was set back: %+v", got)
	}
}

func TestUpstreamsHour(t *testing.T) {
	var h history
	now := int64(1_000_000_020)
	ok, bad := answered(200, 20*time.Millisecond), answered(503, time.Millisecond)
	bad.Attempts[0].Reason = reason.UpstreamStatus
	elsewhere := answered(200, time.Millisecond)
	elsewhere.Attempts[0].Pool = "spare"
	for _, r := range []proxy.Record{ok, ok, bad, elsewhere} {
		h.observe(&r, now)
	}
	h.look("app", "a", true, now)
	h.look("app", "a", false, now+1)
	traffic, cells := h.upstream("app", "a", now+1)
	if want := [statusClasses]uint32{0, 2, 0, 0, 1}; traffic.Classes != want {
		t.Errorf("classes %v, want %v", traffic.Classes, want)
	}
	if traffic.Rate != 3000./60 {
		t.Errorf("%v bytes a second, want %v", traffic.Rate, 3000./60)
	}
	if got, want := cells[len(cells)-1], (Cell{3, 1, 2, 1}); got != want {
		t.Errorf("this minute %v, want %v", got, want)
	}
	if traffic, _ := h.upstream("spare", "a", now+1); traffic.Classes[1] != 1 {
		t.Errorf("of the fallback pool: %+v", traffic)
	}
	if traffic, cells := h.upstream("app", "a", now+120); traffic.Rate != 0 || traffic.Classes[1] != 0 || cells[len(cells)-3] != (Cell{3, 1, 2, 1}) {
		t.Errorf("two minutes later: %+v %v", traffic, cells)
	}
	if traffic, cells := h.upstream("app", "unknown", now); traffic.Rate != 0 || len(cells) != historyCells {
		t.Errorf("an unknown one: %+v %v", traffic, cells)
	}
}

// TestJournalMemory fills the journal of 100 pools with 20 upstreams each: an hour
// of requests to all, and events of all. docs/dashboard.md has the bound.
func TestJournalMemory(t *testing.T) {
	const pools, upstreams, bound = 100, 20, 10 << 20
	kept := heaptest.Kept(t, func() any {
		j := NewJournal("")
		present := map[string]map[string]bool{}
		for p := range pools {
			name := fmt.Sprint("pool-", p)
			present[name] = map[string]bool{}
			for u := range upstreams {
				present[name][fmt.Sprint("10.0.0.", u, ":80")] = true
			}
		}
		for at := int64(0); at < 3700; at += cellSeconds { // the memory per upstream is constant
			fill(j, present, 1_000_000_000+at)
		}
		return j
	})
	heaptest.Within(t, "100 pools of 20 upstreams", kept, bound)
	if kept > bound {
		t.Errorf("%d bytes are kept, docs/dashboard.md says %d at most", kept, bound)
	}
}

// fill lets each upstream answer, go down, and come back.
func fill(j *Journal, present map[string]map[string]bool, at int64) {
	now := time.Unix(at, 0)
	for pool, addresses := range present {
		for address := range addresses {
			r := answered(200, time.Millisecond)
			r.Pool, r.Upstream, r.Attempts[0].Upstream = pool, address, address
			j.history.observe(&r, at)
			j.history.look(pool, address, true, at)
			j.line.note(Event{Time: now, Kind: stDown, Pool: pool, Upstream: address, Text: fmt.Sprintf("%0*d", 2*maxError, at)})
		}
		j.line.members(pool, addresses, false, now)
	}
}

// TestJournalForgets: pools and upstreams that are gone take no memory.
func TestJournalForgets(t *testing.T) {
	j := NewJournal("")
	now := int64(1_000_000_020)
	fill(j, map[string]map[string]bool{"old": {"a": true}, "app": {"a": true, "b": true}}, now)
	present := map[string]map[string]bool{"app": {"b": true}}
	j.line.members("app", present["app"], false, time.Unix(now, 0))
	j.line.keep(present)
	j.history.keep(present)
	if len(j.history.pools) != 1 || len(j.history.pools["app"].upstreams) != 1 || len(j.line.pools) != 1 || len(j.line.pools["app"].upstreams) != 1 {
		t.Errorf("kept %v and %v", j.history.pools, j.line.pools)
	}
}

func BenchmarkJournalObserve(b *testing.B) {
	j := NewJournal("")
	r := answered(200, 3*time.Millisecond)
	r.Start = time.Now()
	b.ReportAllocs()
	for b.Loop() {
		j.Observe(&r)
	}
}

func BenchmarkTallyObserve(b *testing.B) {
	var y Tally
	r := answered(200, 3*time.Millisecond)
	r.Start = time.Now()
	b.ReportAllocs()
	for b.Loop() {
		y.Observe(&r)
	}
}

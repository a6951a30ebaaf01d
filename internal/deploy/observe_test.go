package deploy

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goodgate/goodgate/proxy"
	"github.com/goodgate/goodgate/reason"
)

// TestSampleOf: the sample of a request about its first upstream.
func TestSampleOf(t *testing.T) {
	const took = 5 * time.Millisecond
	ok := proxy.Attempt{Upstream: "new:1", Status: 200, Took: took}
	for name, tc := range map[string]struct {
		record proxy.Record
		want   Sample
		counts bool
	}{
		"an answer":      {proxy.Record{Attempts: []proxy.Attempt{ok}}, Sample{Upstream: "new:1", Took: took}, true},
		"a 404":          {proxy.Record{Attempts: []proxy.Attempt{{Upstream: "new:1", Status: 404, Took: took}}}, Sample{Upstream: "new:1", Took: took, Refused: true}, true},
		"a 500":          {proxy.Record{Attempts: []proxy.Attempt{{Upstream: "new:1", Status: 500, Took: took}}}, Sample{Upstream: "new:1", Failed: true}, true},
		"a hidden 500":   {proxy.Record{Attempts: []proxy.Attempt{{Upstream: "new:1", Status: 500, Reason: reason.UpstreamStatus}, {Upstream: "old:1", After: 1, Status: 200}}}, Sample{Upstream: "new:1", Failed: true}, true},
		"no connection":  {proxy.Record{Attempts: []proxy.Attempt{{Upstream: "new:1", Reason: reason.ConnectRefused}, {Upstream: "old:1", After: 1, Status: 200}}}, Sample{Upstream: "new:1", Failed: true}, true},
		"a broken body":  {proxy.Record{Attempts: []proxy.Attempt{{Upstream: "new:1", Status: 200, Reason: reason.ResponseTruncated}}}, Sample{Upstream: "new:1", Failed: true}, true},
		"an upload":      {proxy.Record{Received: 10, Attempts: []proxy.Attempt{ok}}, Sample{Upstream: "new:1"}, true},
		"a tunnel":       {proxy.Record{Attempts: []proxy.Attempt{{Upstream: "new:1", Status: 101, Took: took}}}, Sample{Upstream: "new:1"}, true},
		"a hedge first":  {proxy.Record{Attempts: []proxy.Attempt{{Upstream: "old:1", After: 9, Status: 200, Because: "late"}, {Upstream: "new:1", Took: took}}}, Sample{Upstream: "new:1", Took: took}, true},
		"an idle close":  {proxy.Record{Attempts: []proxy.Attempt{{Upstream: "new:1", Reused: true, Reason: reason.ClosedBeforeResponse}}}, Sample{Upstream: "new:1"}, false},
		"client is gone": {proxy.Record{Reason: reason.ClientGone, Attempts: []proxy.Attempt{{Upstream: "new:1", Reason: reason.ClientGone}}}, Sample{Upstream: "new:1"}, false},
	} {
		got, counts := sampleOf(&tc.record, first(&tc.record))
		if counts != tc.counts || counts && got != tc.want {
			t.Errorf("%s: got %+v, %t, want %+v, %t", name, got, counts, tc.want, tc.counts)
		}
	}
	if first(&proxy.Record{}) != nil {
		t.Error("a request that was sent to nobody has a first attempt")
	}
}

// TestStickyClientsAreLittleEvidence: if clients stay with their upstreams, a single
// client is not much evidence.
func TestStickyClientsAreLittleEvidence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.pool.keeps = true
		b.order(Order{})
		time.Sleep(time.Second)
		for range 50 {
			b.engine.Observe(recordOf(Sample{Upstream: "old:1", Took: 1}))
			b.engine.Observe(recordOf(Sample{New: true, Upstream: "new:1", Failed: true}))
		}
		time.Sleep(time.Second)
		if v := b.view(); v.Stage == Returning || v.Fresh.Requests+v.Settled.Requests != 1 {
			t.Errorf("%+v", v)
		}
	})
}

// TestEndpointsErrors: each refusal has its status.
func TestEndpointsErrors(t *testing.T) {
	for err, want := range map[error]int{wrong("x"): 400, ErrNoPool: 404, ErrNoDeploy: 404, conflict("x"): 409, errors.New("x"): 409} {
		if got := statusOf(err); got != want {
			t.Errorf("%v: %d, want %d", err, got, want)
		}
	}
}

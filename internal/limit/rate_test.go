package limit

import (
	"testing"
	"time"
)

func TestRate(t *testing.T) {
	r := NewRates(RateOptions{PerSecond: 10, Burst: 3})
	now := time.Unix(1000, 0)
	for i := range 3 {
		if v := r.Allow(1, now); !v.OK || v.Remaining != 2-i {
			t.Errorf("request %d: got %+v", i, v)
		}
	}
	v := r.Allow(1, now)
	if v.OK || v.Retry != 100*time.Millisecond || v.Reset != 300*time.Millisecond {
		t.Errorf("beyond the burst: got %+v, want a retry after 100ms and a reset after 300ms", v)
	}
	if v := r.Allow(2, now); !v.OK {
		t.Errorf("another key: got %+v", v)
	}
	if v := r.Allow(1, now.Add(100*time.Millisecond)); !v.OK {
		t.Errorf("after 100ms: got %+v", v)
	}
}

// TestRatesDropFullestBuckets checks that a flood of new keys does not release a limited
// one, and stays within the limit on memory.
func TestRatesDropFullestBuckets(t *testing.T) {
	r := NewRates(RateOptions{PerSecond: 1, Burst: 2, MaxKeys: 256})
	now := time.Unix(1000, 0)
	let := 0
	for i := range uint64(10_000) {
		if r.Allow(0, now).OK {
			let++
		}
		r.Allow(1+i, now)
	}
	if got := r.Keys(); got > 256 {
		t.Errorf("%d keys are kept, want at most 256", got)
	}
	if let > 20 {
		t.Errorf("the limited key was let in %d times of 10000, its burst is 2", let)
	}
}

func BenchmarkRate(b *testing.B) {
	r := NewRates(RateOptions{PerSecond: 1e9, Burst: 1e9})
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		r.Allow(7, now)
	}
}

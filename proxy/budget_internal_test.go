package proxy

import (
	"math/rand/v2"
	"testing"
)

// TestStrain: retries end while most attempts time out, unless retries help.
func TestStrain(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	// request is one request of up to three tries. It returns whether a retry was
	// refused.
	request := func(b *budget, timesOut func() bool) (refused bool) {
		for try := range 3 {
			if !timesOut() {
				b.relieve(1)
				if try > 0 {
					b.relieve(strainHelp)
				}
				return false
			}
			b.timedOut()
			if b.strained() {
				return try < 2
			}
		}
		return false
	}
	run := func(b *budget, n int, timesOut func() bool) (refused int) {
		for range n {
			if request(b, timesOut) {
				refused++
			}
		}
		return refused
	}
	share := func(p float64) func() bool { return func() bool { return rng.Float64() < p } }
	for _, tc := range []struct {
		name     string
		timesOut func() bool
		least    int // refused of 1000
		most     int
	}{
		{"none", share(0), 0, 0},
		{"one of five", share(0.2), 0, 0},
		{"one of three hangs", share(1. / 3), 0, 0},
		{"half", share(0.5), 0, 0},
		{"nine of ten", share(0.9), 700, 1000},
		{"all", share(1), 980, 1000},
	} {
		b := newBudget(0.2, 10)
		if got := run(b, 1000, tc.timesOut); got < tc.least || got > tc.most {
			t.Errorf("%s: got %d of 1000 retries refused, want %d to %d", tc.name, got, tc.least, tc.most)
		}
		if run(b, strainMax, share(0)); b.strained() || b.strain.Load() != 0 {
			t.Errorf("%s: still strained after %d answers", tc.name, strainMax)
		}
	}
}

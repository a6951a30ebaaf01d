package proxy

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goodgate/goodgate/balancer"
)

// TestStrain: retries end while most attempts time out, unless retries help.
func TestStrain(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	// request is one request with up to three attempts. It returns whether a retry was
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

// TestReloadKeepsStatistics: with other options a pool keeps its balance and strain,
// also for requests that began before the reload, and hedging keeps its samples. A reload
// that is not put into use changes nothing.
func TestReloadKeepsStatistics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testReloadKeepsWhatIsKnown)
}

func testReloadKeepsWhatIsKnown(t *testing.T) {
	o := PoolOptions{
		Retry: Retry{Attempts: 3, Budget: 0.2, BudgetMin: 10, Hedge: Hedge{Quantile: 0.9, Budget: 0.1}},
	}
	old, err := NewPool(balancer.Options{}, o)
	if err != nil {
		t.Fatal(err)
	}
	for range strainMax {
		old.budget.timedOut()
		old.budget.refund()
	}
	for range 2 * quantileMin {
		old.hedging.times.add(time.Second)
	}
	for old.budget.reserve.Allow() {
	}
	for name, change := range map[string]func(*Retry){
		"no change": func(*Retry) {},
		"attempts":  func(r *Retry) { r.Attempts = 2 },
		"budget":    func(r *Retry) { r.Budget = 0.3 },
		"hedge":     func(r *Retry) { r.Hedge.Budget, r.Hedge.MinDelay = 0.2, time.Second },
	} {
		o := o
		change(&o.Retry)
		next, err := old.With(balancer.Options{}, o)
		if err != nil {
			t.Fatal(err)
		}
		if !old.budget.strained() || !next.budget.strained() {
			t.Errorf("%s: strained %t, and after the reload %t", name, old.budget.strained(), next.budget.strained())
		}
		if before, after := old.budget.balance.Load(), next.budget.balance.Load(); before != strainMax*1000 || after != before {
			t.Errorf("%s: %d thousandths of a token, and after the reload %d", name, before, after)
		}
		if next.budget.reserve.Allow() {
			t.Errorf("%s: the reserve is full again", name)
		}
		if d := next.hedging.delay(); d < time.Second {
			t.Errorf("%s: after the reload hedges are sent after %v", name, d)
		}
		old.budget.withdraw() // by a request from before
		if before, after := old.budget.balance.Load(), next.budget.balance.Load(); before != after {
			t.Errorf("%s: a token can be spent twice: %d and %d are left", name, before, after)
		}
		next.budget.refund()
	}
}

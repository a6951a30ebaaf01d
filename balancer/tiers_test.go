package balancer

import (
	"math"
	"testing"
)

func TestShares(t *testing.T) {
	t.Parallel()
	// The examples are those of Envoy's documentation of priority levels.
	f := func(available, total []int, want ...float64) {
		t.Helper()
		s := newShares(available, total, 1.4)
		before := 0.0
		for i, w := range want {
			got := 1.0
			if len(s.upTo) > 0 {
				got = s.upTo[i] - before
				before = s.upTo[i]
			} else if i > 0 {
				got = 0
			}
			if math.Abs(got-w) > 0.006 {
				t.Errorf("available %v of %v: tier %d: got %.3f, want %.3f", available, total, i, got, w)
			}
		}
	}
	hundred := []int{100, 100}
	f([]int{100, 100}, hundred, 1, 0)
	f([]int{72, 100}, hundred, 1, 0)
	f([]int{71, 100}, hundred, 0.99, 0.01)
	f([]int{50, 100}, hundred, 0.70, 0.30)
	f([]int{25, 100}, hundred, 0.35, 0.65)
	f([]int{0, 100}, hundred, 0, 1)
	f([]int{25, 25}, hundred, 0.5, 0.5)
	f([]int{5, 65}, hundred, 0.07, 0.93)
	f([]int{0, 0}, hundred, 1, 0)
	f([]int{25, 25, 100}, []int{100, 100, 100}, 0.35, 0.35, 0.30)
}

func TestTierShares(t *testing.T) {
	t.Parallel()
	specs := specsOf(8)
	for i := 4; i < 8; i++ {
		specs[i].Tier = 7
	}
	p := newTestPool(t, Options{Policy: "random"}, specs...)
	p.Members()[0].SetOperator(Drain)
	p.Members()[1].SetOperator(Drain)
	first := 0
	for range 10000 {
		if p.Pick(&Choice{}).Tier == 0 {
			first++
		}
	}
	if first < 6700 || first > 7300 {
		t.Errorf("half of tier 0 is out: it got %d of 10000, want about 7000", first)
	}
	p.Update(specs[:4])
	if m := p.Pick(&Choice{}); m == nil || m.Tier != 0 {
		t.Errorf("without tier 7: got %v, want a member of tier 0", m)
	}
}

package balancer

import (
	"math"
	"testing"
)

// TestAliasIsExact adds up each member's parts of all slots.
func TestAliasIsExact(t *testing.T) {
	t.Parallel()
	f := func(weights ...int) {
		t.Helper()
		p := newTestPool(t, Options{}, weighted(weights...)...)
		slots := newSlots(p.Members())
		share := make([]float64, len(weights))
		for i, s := range slots {
			below := float64(s.cut) / (1 << 32)
			share[i] += below
			share[s.alias] += 1 - below
		}
		sum := sumWeights(p.Members())
		for i, w := range weights {
			got, want := share[i]/float64(len(weights)), float64(w)/float64(sum)
			if math.Abs(got-want) > 1e-6 {
				t.Errorf("%v: member %d: got %.7f, want %.7f", weights, i, got, want)
			}
		}
	}
	f(1)
	f(1, 1)
	f(1, 2, 3)
	f(1, 1000000)
	f(5, 1, 1, 7, 13, 99, 1)
}

func TestTwoDrawsDiffer(t *testing.T) {
	t.Parallel()
	for _, weights := range [][]int{{1, 1}, {100, 1}, {1, 1, 1}, {50, 1, 1, 1}} {
		p := newTestPool(t, Options{}, weighted(weights...)...)
		u := newUrn(p.Members())
		for range 1000 {
			a, b := u.two(&Choice{})
			if a == nil || b == nil || a == b {
				t.Fatalf("%v: got %v and %v, want two members", weights, a, b)
			}
		}
	}
}

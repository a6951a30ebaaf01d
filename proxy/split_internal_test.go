package proxy

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/goodgate/goodgate/balancer"
)

// splitOf returns a split of n sides, without pools.
func splitOf(sides int) *Split {
	s := &Split{Sides: make([]Side, sides)}
	for i := range sides {
		s.seeds = append(s.seeds, balancer.Hash(fmt.Sprint("v", i+1)))
	}
	return s
}

// TestSplitShares: the shares of the sides follow their weights.
func TestSplitShares(t *testing.T) {
	t.Parallel()
	const clients = 100_000
	for _, weights := range [][]float64{{95, 5}, {50, 50}, {0.1, 99.9}, {1, 0}, {0, 3}, {60, 30, 10}, {1000, 1, 1, 1}} {
		s, sum := splitOf(len(weights)), 0.0
		got := make([]float64, len(weights))
		for c := range clients {
			got[s.of(balancer.Hash(fmt.Sprint("client-", c)), weights, false)]++
		}
		for _, w := range weights {
			sum += w
		}
		for i, w := range weights {
			p := w / sum
			if dev := math.Abs(got[i]/clients - p); dev > 5*math.Sqrt(p*(1-p)/clients) {
				t.Errorf("weights %v: side %d got %.4f of the clients, want %.4f", weights, i+1, got[i]/clients, p)
			}
		}
	}
}

// TestSplitMoves: a client moves only to a side whose weight has grown relative to its
// own, as documented.
func TestSplitMoves(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		n := 2 + r.IntN(4)
		s, before, after := splitOf(n), make([]float64, n), make([]float64, n)
		for i := range n {
			before[i] = float64(1 + r.IntN(100))
			if after[i] = before[i]; r.IntN(2) == 0 {
				after[i] = float64(r.IntN(100))
			}
		}
		after[0] = max(after[0], 1)
		for range 300 {
			key := r.Uint64()
			from, to := s.of(key, before, false), s.of(key, after, false)
			if from != to && after[to]*before[from] <= after[from]*before[to] {
				t.Fatalf("from %v to %v: a client moved from side %d to %d", before, after, from+1, to+1)
			}
		}
	}
}

// TestSplitMovesTheChangedShareOnly: with two sides only the clients of the changed share
// move.
func TestSplitMovesTheChangedShareOnly(t *testing.T) {
	t.Parallel()
	s := splitOf(2)
	const clients = 100_000
	moved := 0
	for c := range clients {
		key := balancer.Hash(fmt.Sprint(c))
		from, to := s.of(key, []float64{95, 5}, false), s.of(key, []float64{75, 25}, false)
		if from == 1 && to == 0 {
			t.Fatal("a client moved back")
		}
		if from != to {
			moved++
		}
	}
	if share := float64(moved) / clients; math.Abs(share-.2) > .007 {
		t.Errorf("%.3f of the clients moved, want 0.2", share)
	}
}

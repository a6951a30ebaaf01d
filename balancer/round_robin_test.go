package balancer

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// nginxSequence is the plain definition: each member's credit grows by its weight, the
// greatest is picked and pays the sum.
func nginxSequence(weights []int, n int) []int32 {
	current := make([]int, len(weights))
	var sequence []int32
	for range n {
		best, sum := 0, 0
		for i, w := range weights {
			current[i] += w
			sum += w
			if current[i] > current[best] {
				best = i
			}
		}
		current[best] -= sum
		sequence = append(sequence, int32(best))
	}
	return sequence
}

func TestSmoothSequence(t *testing.T) {
	t.Parallel()
	f := func(weights []int, want []int32) {
		t.Helper()
		if got := smoothSequence(weights); !slices.Equal(got, want) {
			t.Errorf("%v: got %v, want %v", weights, got, want)
		}
	}
	f(nil, []int32{})
	f([]int{7}, []int32{0})
	f([]int{5, 1, 1}, []int32{0, 0, 1, 0, 2, 0, 0})
	f([]int{10, 2, 2}, []int32{0, 0, 1, 0, 2, 0, 0})
	f([]int{3, 3, 3}, []int32{0, 1, 2})
	for range 200 {
		weights := make([]int, 1+rand.IntN(8))
		sum := 0
		for i := range weights {
			weights[i] = 1 + rand.IntN(9)
		}
		weights[0] = 1 // avoids a common divisor
		for _, w := range weights {
			sum += w
		}
		f(weights, nginxSequence(weights, sum))
	}
}

// TestSmoothSequenceIsBounded: weights of a long period are scaled, and the
// lightest keeps its place.
func TestSmoothSequenceIsBounded(t *testing.T) {
	t.Parallel()
	f := func(weights []int) {
		t.Helper()
		sequence := smoothSequence(weights)
		if got, limit := len(sequence), sequenceLimit(len(weights))+len(weights); got > limit {
			t.Errorf("got %d places, want at most %d", got, limit)
		}
		times := make([]int, len(weights))
		for _, i := range sequence {
			times[i]++
		}
		if slices.Contains(times, 0) {
			t.Error("a member has no place")
		}
	}
	f([]int{1, 1_000_000, 999_999})
	var many []int
	for i := range 10000 {
		many = append(many, 1+i)
	}
	f(many)
}

func TestRoundRobinFollowsTheSequence(t *testing.T) {
	t.Parallel()
	p := newTestPool(t, Options{Policy: "round_robin"}, weighted(5, 1, 1)...)
	var got []int
	for range 14 {
		got = append(got, slices.Index([]string{addr(0), addr(1), addr(2)}, p.Pick(&Choice{}).Addr()))
	}
	twice := []int{0, 0, 1, 0, 2, 0, 0, 0, 0, 1, 0, 2, 0, 0}
	for start := range 7 {
		if slices.Equal(got, slices.Concat(twice[start:], twice[:start])) {
			return
		}
	}
	t.Errorf("got %v, want a turn of %v", got, twice)
}

package balancer

import (
	"cmp"
	"slices"
)

// sequenceLimit bounds the length of a sequence: at least 64 Ki places, and 16 per
// member.
func sequenceLimit(members int) int { return max(1<<16, 16*members) }

// smoothSequence returns the order in which nginx's smooth weighted round robin would
// pick the members, as indexes in weights, over one whole period. Each index occurs in
// proportion to its weight, spread as evenly as possible.
//
// At each step nginx adds each member's weight to the member's credit, picks the member
// with the most credit (the first of equals), and subtracts the sum of all weights from
// it. Members of equal weight therefore take turns, and smoothSequence compares only the
// next one of each weight. It scales weights down if their period is too long.
func smoothSequence(weights []int) []int32 {
	weights, sum := reduced(weights)
	groups := groupByWeight(weights)
	sequence := make([]int32, 0, sum)
	for range sum {
		best, most := (*weightGroup)(nil), 0
		for _, g := range groups {
			g.credit += g.weight
			has := g.credit - sum*g.rounds
			if best == nil || has > most || has == most && g.head() < best.head() {
				best, most = g, has
			}
		}
		sequence = append(sequence, best.take())
	}
	return sequence
}

// weightGroup has the members of one weight, which take turns.
type weightGroup struct {
	weight int
	places []int32
	next   int
	rounds int // turns that the next member has had
	credit int // sum of weights added to every member
}

func (g *weightGroup) head() int32 { return g.places[g.next] }

func (g *weightGroup) take() int32 {
	place := g.head()
	if g.next++; g.next == len(g.places) {
		g.next = 0
		g.rounds++
	}
	return place
}

func groupByWeight(weights []int) []*weightGroup {
	byWeight := map[int]*weightGroup{}
	var groups []*weightGroup
	for i, w := range weights {
		g := byWeight[w]
		if g == nil {
			g = &weightGroup{weight: w}
			byWeight[w] = g
			groups = append(groups, g)
		}
		g.places = append(g.places, int32(i))
	}
	slices.SortFunc(groups, func(a, b *weightGroup) int { return cmp.Compare(a.weight, b.weight) })
	return groups
}

// reduced returns weights in the same proportion with a small sum. It divides them by
// their greatest common divisor, and scales them down if the sum still exceeds the limit.
// No weight becomes 0.
func reduced(weights []int) (small []int, sum int) {
	small = slices.Clone(weights)
	limit := sequenceLimit(len(small))
	if sum = divide(small); sum <= limit {
		return small, sum
	}
	scale := float64(limit) / float64(sum)
	for i, w := range small {
		small[i] = max(1, int(float64(w)*scale))
	}
	return small, divide(small)
}

// divide divides weights by their greatest common divisor, and returns the sum.
func divide(weights []int) (sum int) {
	divisor := 0
	for _, w := range weights {
		divisor = gcd(divisor, w)
	}
	for i := range weights {
		weights[i] /= divisor
		sum += weights[i]
	}
	return sum
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

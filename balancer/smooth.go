package balancer

import (
	"cmp"
	"slices"
)

// sequenceLimit bounds the length of a sequence: at least 64 Ki places, and
// room for 16 a member.
func sequenceLimit(members int) int { return max(1<<16, 16*members) }

// smoothSequence returns the order in which nginx's smooth weighted round robin
// would pick the members, as places in weights, over one whole period: each
// place occurs in proportion to its weight, and is spread as evenly as can be.
//
// nginx gives every member its weight at each step, takes the one that has the
// most, the first of equals, and takes the sum of all weights from it. Members
// of equal weight then take turns, so only the next of each weight has to be
// looked at. Weights whose period is too long are scaled down.
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

// weightGroup is the members of one weight, who take turns.
type weightGroup struct {
	weight int
	places []int32
	next   int
	rounds int // turns that the next member has had
	credit int // what every member has been given
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

// reduced returns weights in the same proportion whose sum is small: without a
// common divisor, and scaled down when still beyond the limit. Nobody is
// scaled down to nothing.
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

// divide divides weights by their greatest common divisor and returns the sum.
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

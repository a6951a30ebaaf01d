package balancer

import "math/rand/v2"

// shares is the split of the load over the tiers, as cumulative probability. The zero
// value sends everything to the first tier.
type shares struct {
	upTo []float64
}

// draw picks one of n tiers.
func (s *shares) draw(n int) int {
	if n < 2 || len(s.upTo) == 0 {
		return 0
	}
	r := rand.Float64()
	for i, limit := range s.upTo {
		if r < limit {
			return min(i, n-1)
		}
	}
	return 0
}

// newShares fills the tiers in order: a tier takes its available share times
// overprovision, and the next takes the rest. If all tiers together cannot take the load,
// newShares scales their shares up. (Envoy, priority levels.)
func newShares(available, total []int, overprovision float64) *shares {
	health := make([]float64, len(total))
	sum := 0.0
	for i := range total {
		if total[i] > 0 {
			health[i] = min(1, overprovision*float64(available[i])/float64(total[i]))
		}
		sum += health[i]
	}
	if sum == 0 || health[0] >= 1 {
		return &shares{}
	}
	scale := 1.0
	if sum < 1 {
		scale = 1 / sum
	}
	s := &shares{upTo: make([]float64, len(total))}
	used := 0.0
	for i, h := range health {
		used = min(1, used+h*scale)
		s.upTo[i] = used
	}
	return s
}

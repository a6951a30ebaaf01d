package balancer

import "time"

// newcomerCost is what a member without history costs while it has requests in
// flight: more than any latency. So it gets one request, and more once that
// was answered. (Finagle's rule.)
const newcomerCost = 1e18

// peakEWMA picks, of two members drawn at random by weight, the one where a
// request is expected to wait less: latency times the requests in flight, with
// this one. (Finagle, com.twitter.finagle.loadbalancer.PeakEwma.) A member that
// lets requests wait costs at least as long as it has done so.
type peakEWMA struct {
	urn  *urn
	mean float64 // weight
}

func newPeakEWMA(members []Member, _ PolicyOptions) Policy {
	mean := float64(sumWeights(members)) / float64(max(len(members), 1))
	return &peakEWMA{urn: newUrn(members), mean: mean}
}

func (p *peakEWMA) Pick(c *Choice) *Member {
	a, b := p.urn.two(c)
	switch {
	case a == nil:
		return c.scan(p.urn.members)
	case b == nil:
		return a
	}
	now := c.Now
	if now == 0 {
		now = time.Now().UnixNano()
	}
	if p.cost(a, now) <= p.cost(b, now) {
		return a
	}
	return b
}

// cost counts a request in flight for less on a member of greater weight, but
// not the latency: it already shows what the member can do.
func (p *peakEWMA) cost(m *Member, now int64) float64 {
	load := m.load() * p.mean
	latency := m.latency.cost(now)
	if latency == 0 && load > 0 {
		return newcomerCost + load
	}
	return max(latency, float64(m.waiting.age(now))) * (load + 1)
}

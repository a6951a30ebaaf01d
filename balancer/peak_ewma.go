package balancer

import "time"

// newcomerCost is what a member without history costs while it has requests in
// flight: more than any latency. So it gets one request, and more once that
// was answered. (Finagle's rule.)
const newcomerCost = 1e18

// resampleFactor is how many times the cost of the better a member must have for
// it to be worth a request to find out whether it still has.
const resampleFactor = 2

// peakEWMA picks, of two members drawn at random by weight, the one where a
// request is expected to wait less: latency times the requests in flight, with
// this one. (Finagle, com.twitter.finagle.loadbalancer.PeakEwma.) A member that
// lets requests wait costs at least as long as it has done so.
//
// One that looks slow gets no requests, and so keeps looking slow until its
// average has faded. Now and then it gets one that could be sent again, so that
// one bad moment does not keep it out for long, and so that the average of one
// that really is slow does not fade until it attracts the traffic.
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
	low, high := p.cost(a, now), p.cost(b, now)
	if low > high {
		a, b, low, high = b, a, high, low
	}
	if high > resampleFactor*low && c.Replayable && b.inFlight.Load() == 0 && b.latency.due(now) {
		return b
	}
	return a
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

package balancer

import "time"

// newcomerCost is the cost of a member without history that has requests in flight: more
// than any latency. So it gets one request, and further ones only after the answer.
// (Finagle's rule.)
const newcomerCost = 1e18

// resampleFactor is the ratio of two drawn members' costs from which on the more
// expensive one may get a request, to check whether it still is.
const resampleFactor = 2

// peakEWMA draws two members at random by weight, and picks the one with the shorter
// expected wait: latency times the requests in flight, with this one. (Finagle,
// com.twitter.finagle.loadbalancer.PeakEwma.) If a member has left requests unanswered
// for longer than its latency, that time counts instead.
//
// A member that looks slow gets no requests, and so looks slow until its average has
// faded. Now and then it gets a request that is Replayable. So one bad moment does not
// keep it out for long, and the average of a really slow member does not fade until it
// attracts the traffic.
type peakEWMA struct {
	urn  *urn
	mean float64 // mean weight
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

// cost returns the expected wait in nanoseconds. A greater weight makes requests in
// flight cheaper. It does not change the latency, which shows the member's speed already.
func (p *peakEWMA) cost(m *Member, now int64) float64 {
	load := m.load() * p.mean
	latency := m.latency.cost(now)
	if latency == 0 && load > 0 {
		return newcomerCost + load
	}
	return max(latency, float64(m.waiting.age(now))) * (load + 1)
}

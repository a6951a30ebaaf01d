package balancer

import "math"

// curve records how an upstream's rate of answers depends on its requests in flight. The
// rate grows with them until they keep the upstream busy, then it stays flat. The bend is
// the number of requests that saturates the upstream. (Denning and Buzen, "The
// Operational Analysis of Queueing Network Models", ACM Computing Surveys 10(3), 1978.)
// The zero value has no points.
type curve struct {
	points []point // in order of time
}

// point is the number of answers in a time, at a number of requests in flight. Answers
// and seconds shrink with age, so that old points count less.
type point struct {
	inFlight float64
	answers  float64
	seconds  float64
}

const (
	pointsKept = 32
	fade       = 0.9  // factor on a point's weight for each later point
	fineness   = 1.03 // ratio of neighbouring candidates for the bend
)

func (c *curve) add(p point) {
	if len(c.points) == pointsKept {
		c.points = append(c.points[:0], c.points[1:]...)
	}
	for i := range c.points {
		c.points[i].answers *= fade
		c.points[i].seconds *= fade
	}
	c.points = append(c.points, p)
}

// span returns the smallest and the largest number of requests in flight among the
// points.
func (c *curve) span() (least, most float64) {
	least = math.Inf(1)
	for _, p := range c.points {
		least, most = min(least, p.inFlight), max(most, p.inFlight)
	}
	return least, most
}

// bend returns the likeliest bend of the curve within its span. It returns an end of the
// span if the curve may bend beyond it. further reports that the curve may well bend
// above the span: that is less likely by at most doubt, a difference of log likelihoods.
func (c *curve) bend(doubt float64) (n float64, further bool) {
	least, most := c.span()
	likeliest := math.Inf(-1)
	for m := least; ; m = min(m*fineness, most) {
		l := c.likelihood(m)
		if l > likeliest {
			n, likeliest = m, l
		}
		if m == most {
			return n, l >= likeliest-doubt
		}
	}
}

// likelihood returns the log likelihood of the points if the curve bends at n, except for
// a constant. Its model: answers come by chance at the rate that min(in flight, n)
// requests make, and a request takes the time that fits best.
func (c *curve) likelihood(n float64) (l float64) {
	answers, work := c.sum(n)
	for _, p := range c.points {
		l += p.answers * math.Log(min(p.inFlight, n))
	}
	return l - answers*math.Log(work)
}

// sum returns the number of answers, and the seconds of work on requests that they took,
// if the curve bends at n.
func (c *curve) sum(n float64) (answers, work float64) {
	for _, p := range c.points {
		answers += p.answers
		work += min(p.inFlight, n) * p.seconds
	}
	return answers, work
}

// surprise returns how many more answers p has than the earlier points predict if the
// curve bends at n, in standard deviations.
func (c *curve) surprise(p point, n float64) float64 {
	answers, work := c.sum(n)
	expected := answers / work * min(p.inFlight, n) * p.seconds
	return (p.answers - expected) / math.Sqrt(expected*(1+expected/answers))
}

package balancer

import "math"

// curve is what has been seen of how the rate of an upstream's answers depends
// on the requests in flight: it grows with them until they keep the upstream
// busy, and no more from there on. Where it bends is the number of requests that
// saturate the upstream. (Denning and Buzen, "The Operational Analysis of
// Queueing Network Models", ACM Computing Surveys 10(3), 1978.) The zero value
// has seen nothing.
type curve struct {
	points []point // the latest last
}

// point is how many answers came in a time, while so many requests were in
// flight. As it grows old, answers and seconds shrink, so that it counts less.
type point struct {
	inFlight float64
	answers  float64
	seconds  float64
}

const (
	pointsKept = 32
	fade       = 0.9  // what a point counts for when another has come
	fineness   = 1.03 // from one number that may be the bend to the next
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

// span returns between which numbers of requests in flight the curve is known.
func (c *curve) span() (least, most float64) {
	least = math.Inf(1)
	for _, p := range c.points {
		least, most = min(least, p.inFlight), max(most, p.inFlight)
	}
	return least, most
}

// bend returns where the curve is the likeliest to bend: an end of what is known
// of it when it may bend beyond that. further reports that it may well do so
// upwards: doubt is how much less likely that has to be, as a difference of
// logarithms.
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

// likelihood returns the logarithm of how likely what was seen is, but for a
// constant, when answers come by chance at the rate that min(in flight, n)
// requests make, and a request takes the time that fits best.
func (c *curve) likelihood(n float64) (l float64) {
	answers, work := c.sum(n)
	for _, p := range c.points {
		l += p.answers * math.Log(min(p.inFlight, n))
	}
	return l - answers*math.Log(work)
}

// sum returns the answers, and the seconds that requests were worked on to give
// them, when the curve bends at n.
func (c *curve) sum(n float64) (answers, work float64) {
	for _, p := range c.points {
		answers += p.answers
		work += min(p.inFlight, n) * p.seconds
	}
	return answers, work
}

// surprise returns by how many standard deviations there are more answers in p
// than by what was seen before, when the curve bends at n.
func (c *curve) surprise(p point, n float64) float64 {
	answers, work := c.sum(n)
	expected := answers / work * min(p.inFlight, n) * p.seconds
	return (p.answers - expected) / math.Sqrt(expected*(1+expected/answers))
}

package balancer

import (
	"math"
	"slices"
	"time"
)

// growth is the evidence that clients ask for more than a pool can do. The zero value has
// no evidence.
//
// In an overload more requests come than the pool answers, window after window. The
// waiting requests pile up, every answer takes longer, and the rate of answers does not
// grow. Each of these signs alone is harmless:
//
//   - Requests pile up at once and then fewer: a burst, or a client with many
//     connections.
//   - They pile up, but some answers come as fast as ever: long polls, or reports beside
//     short requests.
//   - They pile up, and the rate of answers grows with them: requests take longer or
//     there are more of them, and the pool has room for both.
//   - They pile up, and no answers come: a pause, or an upstream that hangs.
type growth struct {
	settled window   // mean of the windows without growth
	calm    int      // number of these
	before  window   // the last one before the growth
	windows []window // the windows of the growth, each with more waiting requests at its end
}

// window is what a pool did in a short time.
type window struct {
	waits   float64       // mean number of requests that waited for an answer
	end     float64       // number of them at the end
	peak    float64       // largest end of the windows merged into this one, if larger
	answers float64       // successful answers
	seconds float64       // duration
	low     time.Duration // a fifth of the answers took no longer
}

const (
	growthWindows = 4    // windows in a row that must show growth
	growthLasts   = 0.4  // seconds that the growth must last; requests that many clients start at once are answered sooner
	growthMany    = 400  // number of waiting requests from which on growthLasts does not matter
	growthPoints  = 3    // points of the curve
	growthMost    = 16   // windows kept
	growthLeast   = 0.15 // smallest growth in a window, as a share of its answers
	growthSteep   = 3    // the same for steep growth
	growthHolds   = 0.75 // share of a steep window's growth that the next must reach: a burst that ends does not
	growthFall    = 0.9  // share of the waiting requests before, below which their number falls
	growthNoise   = 2    // smallest growth in the first window, in standard deviations of its answers
	growthFactor  = 2    // factor by which the waiting requests, and the time to an answer, must have grown
	growthBy      = 10   // and requests on top
	growthLate    = 75 * time.Millisecond
	growthOdds    = 7   // smallest log likelihood ratio of a saturated pool to one that is not
	settledAfter  = 3   // windows
	settledMost   = 1.0 // seconds; a longer window resets the mean, which would be too old
	settledFade   = 0.2 // weight of a window in the mean
	lowShare      = 0.2 // share of the answers for window.low
)

// rate returns the answers per second.
func (w *window) rate() float64 { return w.answers / w.seconds }

func (w *window) point() point { return point{w.waits, w.answers, w.seconds} }

// add adds a window. If the evidence shows that more requests wait than saturate the
// pool, it returns the number that saturates it, else 0.
func (g *growth) add(w window) float64 {
	if w.seconds > settledMost {
		g.calm = 0
	}
	last := g.last(1)
	least := max(1, growthLeast*w.answers)
	if len(g.windows) == 0 { // the start may be chance
		least = max(least, growthNoise*math.Sqrt(w.answers))
	}
	if w.end-last.end < least {
		if !g.absorb(w) {
			g.settle(w)
		}
		return 0
	}
	if len(g.windows) == growthMost { // merge pairs, to keep the whole growth
		for i := range growthMost / 2 {
			g.windows[i] = g.windows[2*i].and(g.windows[2*i+1])
		}
		g.windows = g.windows[:growthMost/2]
	}
	g.windows = append(g.windows, w)
	if len(g.windows) < growthWindows && !g.steep() || g.lasts() < growthLasts && w.end < growthMany || !g.late() {
		return 0
	}
	return g.knee()
}

// last returns the n-th last window of the growth, or the one before the growth.
func (g *growth) last(n int) *window {
	if n > len(g.windows) {
		return &g.before
	}
	return &g.windows[len(g.windows)-n]
}

// absorb merges a window with too little growth into the last one, if both together have
// enough: arrivals and answers vary.
func (g *growth) absorb(w window) bool {
	if len(g.windows) == 0 || w.end < growthFall*g.last(1).end {
		return false
	}
	both := g.last(1).and(w)
	if both.end-g.last(2).end < growthLeast*both.answers {
		return false
	}
	*g.last(1) = both
	return true
}

// and returns two windows as one. o is the later one.
func (w window) and(o window) window {
	seconds := w.seconds + o.seconds
	o.waits = (w.waits*w.seconds + o.waits*o.seconds) / seconds
	o.answers, o.seconds, o.peak = w.answers+o.answers, seconds, max(w.peak, w.end, o.peak)
	return o
}

// steep reports whether the growth is so steep that one window fewer is enough: in each
// of the last two windows it was at least growthSteep times the answers, and it
// continues.
func (g *growth) steep() bool {
	if len(g.windows) < growthWindows-1 {
		return false
	}
	before, last, now := g.last(3), g.last(2), g.last(1)
	grew, grows := last.end-before.end, now.end-last.end
	return grew >= growthSteep*last.answers && grows >= growthSteep*now.answers && grows >= growthHolds*grew
}

// lasts returns for how many seconds the number of waiting requests has certainly grown.
// It leaves out the first window: they may all have come at its end.
func (g *growth) lasts() (s float64) {
	for i := range g.windows[1:] {
		s += g.windows[1+i].seconds
	}
	return s
}

// settle adds a window without growth.
func (g *growth) settle(w window) {
	g.before, g.windows = w, g.windows[:0]
	if g.calm == 0 {
		g.settled = w
	}
	g.calm++
	mix := func(a *float64, b float64) { *a += settledFade * (b - *a) }
	s := &g.settled
	mix(&s.waits, w.waits)
	mix(&s.answers, w.answers)
	mix(&s.seconds, w.seconds)
	s.low += time.Duration(settledFade * float64(w.low-s.low))
}

// late reports whether the growth does harm: many more requests wait, more than at any
// time of the growth before, and even the fast answers take much longer.
func (g *growth) late() bool {
	last, low := &g.windows[len(g.windows)-1], g.windows[0].low
	if g.calm >= settledAfter {
		low = g.settled.low
	}
	for i := range g.windows {
		if g.windows[i].peak > last.end {
			return false // it was a burst
		}
	}
	return last.end >= growthFactor*g.before.end+growthBy && last.low >= growthFactor*low && last.low-low >= growthLate
}

// knee returns the number of requests that saturates the pool, by the growth. It returns
// 0 if the pool may just as well be far from saturation.
//
// If the pool answers no fewer requests than before, clients ask for more, and the
// settled mean is a point of the curve. Otherwise the pool may have become slower, or
// have lost capacity, and only the windows since then count.
func (g *growth) knee() float64 {
	settled := g.calm >= settledAfter
	changed := g.changed(settled)
	var c curve
	if settled && changed == 0 {
		c.points = append(c.points, g.settled.point())
	}
	for i := changed; i < len(g.windows); i++ {
		c.points = append(c.points, g.windows[i].point())
	}
	if len(c.points) < growthPoints {
		return 0
	}
	n, most := c.span()
	if settled && changed == 0 {
		n, _ = c.bend(0)
	}
	if c.likelihood(n)-c.likelihood(most) < growthOdds {
		return 0
	}
	if settled && changed > 0 { // the curve is flat: the bend is below the observed range
		return min(n, max(g.settled.waits, 1))
	}
	return n
}

// changed returns the index of the first window in which the pool was as it is now. If
// the settled rate is known, that is the window after the first one that is surely
// slower, or 0 if none is. Otherwise it is the second window after the slowest: the
// slowest may be from a time with few requests.
func (g *growth) changed(settled bool) int {
	if settled {
		return slices.IndexFunc(g.windows, func(w window) bool { return w.slower(&g.settled) }) + 1
	}
	slowest := 0
	for i := range g.windows {
		if g.windows[i].rate() < g.windows[slowest].rate() {
			slowest = i
		}
	}
	return slowest + 2
}

// slower reports whether the window surely has fewer answers than the rate of s gives.
func (w *window) slower(s *window) bool {
	return w.answers+3*math.Sqrt(w.answers) < s.rate()*w.seconds
}

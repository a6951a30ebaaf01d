package balancer

import (
	"math"
	"slices"
	"time"
)

// growth is the evidence that more is asked of a pool than it can do. The zero
// value has seen nothing.
//
// In an overload more requests come than are answered, window after window; the
// requests that wait pile up, every answer takes longer, and there are no more
// answers a second than before. Each of these alone is innocent:
//
//   - Requests pile up at once and then fewer: a burst, or a client with many
//     connections.
//   - They pile up and some answers come as fast as ever: long polls, or reports
//     beside short requests.
//   - They pile up and the answers' rate grows with them: everything takes longer
//     than it did, or more is asked, and the pool has room for it.
//   - They pile up and there are no answers: a pause, or an upstream that hangs.
type growth struct {
	settled window   // the mean of those in which nothing grew
	calm    int      // how many these are
	before  window   // the last before the growth
	windows []window // since then, each with more that wait at its end
}

// window is what a pool has done in a short time.
type window struct {
	waits   float64       // requests that waited for an answer, on average
	end     float64       // at its end
	peak    float64       // at the end of one of those that it is made of, if that is more
	answers float64       // successful ones
	seconds float64       // that it took
	low     time.Duration // that a fifth of the answers took no more than
}

const (
	growthWindows = 4    // windows in a row that have to show it
	growthLasts   = 0.4  // seconds that it has to go on: what many clients begin at once is over sooner,
	growthMany    = 400  // unless so many requests wait that it does not matter
	growthPoints  = 3    // of the curve
	growthMost    = 16   // that are looked at
	growthLeast   = 0.15 // how many more have to come than are answered, as a share of the answers
	growthSteep   = 3    // the same, from which on it is steep
	growthHolds   = 0.75 // share of a steep window's growth that the next must have, so that it is no burst that ends
	growthFall    = 0.9  // share of what waited before, below which it falls
	growthNoise   = 2    // standard deviations of the answers, for the first window
	growthFactor  = 2    // what the requests that wait, and the time to an answer, must have become
	growthBy      = 10   // requests, beyond that
	growthLate    = 75 * time.Millisecond
	growthOdds    = 7   // logarithm of how much likelier it must be that the pool is saturated than that it is not
	settledAfter  = 3   // windows
	settledMost   = 1.0 // seconds; with fewer answers, what a window shows is too old
	settledFade   = 0.2 // what a window counts for in their mean
	lowShare      = 0.2 // of the answers, for window.low
)

// rate returns the answers a second.
func (w *window) rate() float64 { return w.answers / w.seconds }

func (w *window) point() point { return point{w.waits, w.answers, w.seconds} }

// add notes a window. It returns the number of requests that saturates the pool
// when there is evidence that more wait, else 0.
func (g *growth) add(w window) float64 {
	if w.seconds > settledMost {
		g.calm = 0
	}
	last := g.last(1)
	least := max(1, growthLeast*w.answers)
	if len(g.windows) == 0 { // that it begins may be chance
		least = max(least, growthNoise*math.Sqrt(w.answers))
	}
	if w.end-last.end < least {
		if !g.absorb(w) {
			g.settle(w)
		}
		return 0
	}
	if len(g.windows) == growthMost { // by halves, so that all of the growth is kept
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

// last returns the n-th last window of the growth, or the one before it.
func (g *growth) last(n int) *window {
	if n > len(g.windows) {
		return &g.before
	}
	return &g.windows[len(g.windows)-n]
}

// absorb makes a window without enough growth part of the last one, if that has
// enough for both: what comes and goes varies.
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

// and returns what two windows have shown together, of which o is the later.
func (w window) and(o window) window {
	seconds := w.seconds + o.seconds
	o.waits = (w.waits*w.seconds + o.waits*o.seconds) / seconds
	o.answers, o.seconds, o.peak = w.answers+o.answers, seconds, max(w.peak, w.end, o.peak)
	return o
}

// steep reports whether the growth is so steep that a window less will do: in each of
// the last two, some times as many more came as were answered, and it goes on.
func (g *growth) steep() bool {
	if len(g.windows) < growthWindows-1 {
		return false
	}
	before, last, now := g.last(3), g.last(2), g.last(1)
	grew, grows := last.end-before.end, now.end-last.end
	return grew >= growthSteep*last.answers && grows >= growthSteep*now.answers && grows >= growthHolds*grew
}

// lasts returns for how many seconds it has surely grown: all of the first window may
// have come at its end.
func (g *growth) lasts() (s float64) {
	for i := range g.windows[1:] {
		s += g.windows[1+i].seconds
	}
	return s
}

// settle notes a window in which nothing grew.
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

// late reports whether so many more wait, never more before, and all of them so much
// longer, that it does harm.
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

// knee returns the number of requests that saturates the pool by what the growth has
// shown, 0 when it may just as well be far from that.
//
// When no less is done than before, more is asked, and what was settled is a part of
// the curve. Otherwise the pool may have become slower, or have lost some of what it
// had, and only what has shown since counts.
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
	if settled && changed > 0 { // it is flat: the bend is before what was seen
		return min(n, max(g.settled.waits, 1))
	}
	return n
}

// changed returns from which window on the pool was as it is now, as far as that can be
// told: all are, or those after the first that was surely slower than before. When it
// is not known how fast it was, it is those after the slowest, but for one more, since
// the slowest may be one of a time in which nothing was asked.
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

// slower reports whether there were surely fewer answers than at the rate of s.
func (w *window) slower(s *window) bool {
	return w.answers+3*math.Sqrt(w.answers) < s.rate()*w.seconds
}

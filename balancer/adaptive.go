package balancer

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// AdaptiveOptions say how the number of requests that one upstream gets at once
// follows what it can do. The zero value is off.
type AdaptiveOptions struct {
	Enabled bool
	Min     int // the limit is never below; 0 = 1
	Max     int // nor above; 0 = 1000
	Start   int // and begins here; 0 = 20
}

// adaptive finds how many requests at once saturate an upstream: its greatest
// rate of answers times the time that an answer takes when none has to queue,
// which is Little's law. Neither can be seen at the same time as the other, so
// the limit moves in cycles: a little above the estimate, where the rate shows;
// below it, where queues drain and the plain latency shows; and then along it.
// (The idea is that of BBR: Cardwell et al., "BBR: Congestion-Based Congestion
// Control", ACM Queue 14(5), 2016.) Means are used where BBR takes extremes,
// because the latency of an application varies by itself: a limit that goes by
// the least latency collapses.
//
// While the requests do not reach the limit, they show nothing about what the
// upstream could do, and the estimate stays.
type adaptive struct {
	now  atomic.Int64 // the limit of this moment
	opts AdaptiveOptions

	mu       sync.Mutex // protects the fields below
	estimate float64
	phase    phase
	steps    int // phases along the estimate that are left
	seen     tally
	rate     float64 // answers a second when last above the estimate
	growing  bool    // each time above the estimate has brought more answers
}

// phase is where in its cycle the limit is.
type phase uint8

const (
	above phase = iota // the rate shows
	below              // the latency shows
	along
)

// What the limit is in each phase, as a multiple of the estimate. Along it, a
// little more than what is just enough keeps the upstream busy while answers
// travel.
const (
	gainGrowing = 2
	gainAbove   = 1.3
	gainBelow   = 0.7
	gainAlong   = 1.05
)

const (
	stepsAlong   = 4
	phaseSamples = 60                     // answers that a phase waits for
	phaseLeast   = 50 * time.Millisecond  // a phase's least time
	phaseMost    = 700 * time.Millisecond // after this it ends with what it has
	noise        = 0.2                    // share by which an estimate may be off by chance
	fails        = 0.2                    // share of failures that says by itself that it is too much
)

// tally is what a phase has seen, since the requests of the one before it had
// time to end.
type tally struct {
	began    time.Time
	ends     time.Time
	answers  int
	failures int
	reached  int   // answers at whose time the limit was reached
	inFlight int64 // summed over the answers
}

// rate returns the answers a second.
func (t *tally) rate() float64 { return float64(t.answers) / t.ends.Sub(t.began).Seconds() }

// latency returns how long an answer took, by Little's law.
func (t *tally) latency() time.Duration {
	return time.Duration(t.mean() / t.rate() * float64(time.Second))
}

// mean returns how many requests were in flight.
func (t *tally) mean() float64 { return float64(t.inFlight) / float64(t.answers) }

// limited reports whether it was the limit that kept more from coming.
func (t *tally) limited() bool { return 2*t.reached > t.answers }

// configure begins anew under other options, with no limit when they are off.
func (a *adaptive) configure(o AdaptiveOptions) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if o.Enabled {
		a.start(o)
	} else {
		a.now.Store(0)
	}
}

func (a *adaptive) start(o AdaptiveOptions) {
	o.Min = max(o.Min, 1)
	if o.Max == 0 {
		o.Max = 1000
	}
	if o.Start == 0 {
		o.Start = 20
	}
	a.opts = o
	a.estimate = a.clamp(float64(o.Start))
	a.growing = true
	a.enter(above, time.Time{})
}

// limit returns how many requests at once the upstream may get; 0 = no limit.
func (a *adaptive) limit() int64 { return a.now.Load() }

func (a *adaptive) clamp(v float64) float64 {
	return min(max(v, float64(a.opts.Min)), float64(a.opts.Max))
}

// record notes an attempt that has ended. inFlight is the number of requests
// that the upstream had, this one included. It reports whether the limit has
// changed.
func (a *adaptive) record(o Outcome, inFlight int) bool {
	before := a.now.Load()
	if before == 0 || o == Ignored {
		return false
	}
	a.ended(o, time.Now(), int64(inFlight))
	return a.now.Load() != before
}

// ended is record at a moment.
func (a *adaptive) ended(o Outcome, now time.Time, inFlight int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.now.Load() == 0 {
		return // switched off meanwhile
	}
	if a.seen.ends.IsZero() {
		a.seen.began, a.seen.ends = now, now.Add(phaseMost)
	}
	if now.Before(a.seen.began) {
		return
	}
	if !now.Before(a.seen.ends) {
		a.conclude(now)
		return
	}
	a.seen.note(o, inFlight, a.now.Load())
}

func (t *tally) note(o Outcome, inFlight, limit int64) {
	if o != Success {
		t.failures++
		return
	}
	t.answers++
	t.inFlight += inFlight
	if inFlight >= limit {
		t.reached++
	}
}

// conclude draws the phase's conclusions and goes to the next. Called with mu
// held.
func (a *adaptive) conclude(now time.Time) {
	s := &a.seen
	switch {
	case float64(s.failures) > fails*float64(s.answers+s.failures):
		a.estimate = a.clamp(a.estimate * gainBelow)
		a.growing = false
		a.enter(along, now)
	case !s.limited():
		a.growing = false
		a.enter(above, now)
	case a.phase == above:
		a.measureRate(now)
	case a.phase == below:
		a.measureLatency(now)
	case a.steps > 0:
		a.steps--
		a.enter(along, now)
	default:
		a.enter(above, now)
	}
}

// measureRate takes the rate of a phase above the estimate.
func (a *adaptive) measureRate(now time.Time) {
	rate := a.seen.rate()
	grown := rate > (1+noise+1/math.Sqrt(float64(a.seen.answers)))*a.rate // beyond chance
	a.rate = rate
	if a.growing && grown {
		a.estimate = a.clamp(a.estimate * gainGrowing)
		a.enter(above, now)
		return
	}
	a.growing = grown
	a.enter(below, now)
}

// measureLatency takes the latency of a phase below the estimate and makes the
// estimate.
func (a *adaptive) measureLatency(now time.Time) {
	found := a.clamp(a.rate * a.seen.mean() / a.seen.rate())
	moved := found / a.estimate
	switch {
	case moved <= 1-noise: // requests queue below it, too
		a.estimate = found
		a.enter(below, now)
	case moved >= 1+noise:
		a.estimate = found
		a.growing = true
		a.enter(above, now)
	default:
		a.estimate = (found + a.estimate) / 2
		a.steps = stepsAlong
		a.enter(along, now)
	}
}

// enter begins a phase. It looks at whole latencies, because answers may come
// in bursts of that period, and after the first, because until then they are
// answers to what was asked before.
func (a *adaptive) enter(p phase, now time.Time) {
	if before := a.seen; before.answers > 0 {
		period := min(max(before.latency(), time.Millisecond), phaseMost)
		wanted := min(max(phaseLeast, time.Duration(phaseSamples/before.rate()*float64(time.Second))), phaseMost)
		a.seen = tally{began: now.Add(period)}
		a.seen.ends = a.seen.began.Add((wanted + period - 1) / period * period)
	} else {
		a.seen = tally{}
	}
	a.phase = p
	limit := a.estimate
	switch p {
	case above:
		limit = math.Ceil(limit * gainAbove)
	case below:
		limit = math.Floor(limit * gainBelow)
	case along:
		limit = math.Round(limit * gainAlong)
	}
	a.now.Store(int64(a.clamp(limit)))
}

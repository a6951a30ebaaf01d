package balancer

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// AdaptiveOptions configure the adaptive concurrency limit of each upstream. The zero
// value is off.
type AdaptiveOptions struct {
	Enabled bool
	Min     int // lower bound of the limit; 0 = 1
	Max     int // upper bound; 0 = 1000
	Start   int // first limit; 0 = 10
}

// adaptive finds the number of requests in flight that saturates an upstream. With more
// of them the upstream answers no more requests a second; with fewer, the latency does
// not fall. Neither shows at the limit itself. So the limit moves in short phases to both
// sides of the estimate, and the estimate is the best fit to all phases ([curve]). The
// estimate does not depend on the least or the greatest latency: an application's latency
// varies by itself, and a limit that depends on it collapses.
//
// A surprising phase means that the upstream has changed. It restarts the search, upwards
// or downwards. While clients ask for less than the limit, the estimate stays.
type adaptive struct {
	now  atomic.Int64 // the current limit
	opts AdaptiveOptions

	mu       sync.Mutex // protects the fields below
	estimate float64
	idled    bool // in the previous phase, clients asked for less than the limit
	known    bool // the search has ended: the estimate is known from both sides
	curve    curve
	rest     curve // phases in which clients asked for less than the limit
	phase    phase
	step     int     // place in the cycle
	seen     tally   // the current phase
	surprise float64 // sum over the last phases, which fades
	spread   float64 // variance of surprises; chance alone makes 1
}

// phase is the side of the estimate on which the limit is.
type phase uint8

const (
	above phase = iota
	below
	along
)

// cycle is the order of the phases while the estimate holds. The limit is more often
// above than below: above it costs only some latency of queued requests.
var cycle = [...]phase{above, below, above, along}

// The limit in each phase, as a multiple of the estimate. In the phase along, slightly
// more than the estimate keeps the upstream busy while answers travel.
const (
	gainAbove  = 1.2
	gainBelow  = 0.8
	gainAlong  = 1.05
	gainSearch = 2 // between two phases of a search
)

const (
	phaseSamples = 30                     // answers in a phase
	phaseLeast   = 50 * time.Millisecond  // shortest phase
	phaseMost    = 500 * time.Millisecond // longest phase; it ends with the answers that have come
	plain        = 0.5                    // share of the limit in flight below which no request queues
	fails        = 0.2                    // share of failures that proves overload by itself
)

const (
	hint       = 2    // surprise, in standard deviations, that is worth another look
	shock      = 3.5  // sum of surprises that proves that the upstream has changed
	spreadFade = 0.05 // weight of a phase in the variance
	doubt      = 0.5  // difference in log likelihood up to which the search checks for a bend beyond the known range
)

// tally sums the results of a phase. It starts once the requests of the previous phase
// have had time to end.
type tally struct {
	began    time.Time
	ends     time.Time
	answers  int
	failures int
	reached  int           // answers that came while the limit was reached
	inFlight int64         // sum over the answers
	took     time.Duration // sum over the answers
}

// rate returns the answers per second.
func (t *tally) rate() float64 { return float64(t.answers) / t.ends.Sub(t.began).Seconds() }

// latency returns the mean time to an answer, by Little's law.
func (t *tally) latency() time.Duration {
	return time.Duration(t.mean() / t.rate() * float64(time.Second))
}

// mean returns the mean number of requests in flight.
func (t *tally) mean() float64 { return float64(t.inFlight) / float64(t.answers) }

// point returns the phase as a point of the curve, at the given number of requests in
// flight.
func (t *tally) point(inFlight float64) point {
	return point{inFlight, float64(t.answers), t.ends.Sub(t.began).Seconds()}
}

// configure starts again with other options. Without Enabled there is no limit.
func (a *adaptive) configure(o AdaptiveOptions) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if o.Enabled {
		a.start(o)
	} else {
		a.now.Store(0)
	}
}

// begin starts again, even without Enabled. o.Start should be rather too small: the
// search goes up.
func (a *adaptive) begin(o AdaptiveOptions) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.start(o)
	a.enter(above, time.Time{})
}

// end removes the limit.
func (a *adaptive) end() { a.configure(AdaptiveOptions{}) }

func (a *adaptive) start(o AdaptiveOptions) {
	o.Min = max(o.Min, 1)
	if o.Max == 0 {
		o.Max = 1000
	}
	if o.Start == 0 {
		o.Start = 10
	}
	a.opts = o
	a.forget()
	a.estimate = a.clamp(float64(o.Start))
	a.idled, a.step, a.spread, a.seen, a.rest = false, 0, 1, tally{}, curve{}
	a.enter(along, time.Time{})
}

// limit returns how many requests the upstream may have in flight; 0 = no limit.
func (a *adaptive) limit() int64 { return a.now.Load() }

func (a *adaptive) clamp(v float64) float64 {
	return min(max(v, float64(a.opts.Min)), float64(a.opts.Max))
}

// record notes the end of an attempt that began at a time in Unix nanoseconds. inFlight
// is the number of the upstream's requests in flight, this one included. record reports
// whether the limit has changed.
func (a *adaptive) record(o Outcome, began int64, inFlight int) bool {
	before := a.now.Load()
	if before == 0 || o == Ignored {
		return false
	}
	now := time.Now()
	a.ended(o, now, time.Duration(now.UnixNano()-began), int64(inFlight))
	return a.now.Load() != before
}

// ended is record at a given time.
func (a *adaptive) ended(o Outcome, now time.Time, took time.Duration, inFlight int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.now.Load() == 0 {
		return // the limit was switched off meanwhile
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
	if o != Success {
		a.seen.failures++
		return
	}
	a.seen.note(took, inFlight, a.now.Load())
}

func (t *tally) note(took time.Duration, inFlight, limit int64) {
	t.answers++
	t.took += took
	t.inFlight += inFlight
	if inFlight >= limit {
		t.reached++
	}
}

// conclude evaluates the phase and starts the next one. mu must be held.
func (a *adaptive) conclude(now time.Time) {
	s := &a.seen
	switch {
	case float64(s.failures) > fails*float64(s.answers+s.failures):
		a.forget()
		a.estimate = a.clamp(a.estimate * gainBelow)
		a.enter(along, now)
	case s.answers == 0:
		a.enter(along, now)
	case 2*s.reached < s.answers:
		a.idle(now)
	case a.idled: // clients still asked for less when this phase began
		a.idled = false
		a.move(a.phase, float64(a.now.Load()), now)
	default:
		a.learn(s.point(s.mean()), now)
	}
}

// idle notes a phase in which clients asked for less than the limit. If they asked for
// much less, no request queued, and the phase shows the plain latency. Little's law then
// gives the number of requests in flight. mu must be held.
func (a *adaptive) idle(now time.Time) {
	s := &a.seen
	if n := s.took.Seconds() / s.ends.Sub(s.began).Seconds(); n > 0 && n < plain*float64(a.now.Load()) {
		a.rest.add(s.point(n))
	}
	a.idled = true
	a.enter(along, now)
}

// learn evaluates a phase in which the limit was reached. mu must be held.
func (a *adaptive) learn(p point, now time.Time) {
	rest := a.rest
	a.rest = curve{}
	if !a.known && len(rest.points) > 0 {
		a.guess(rest, p, now)
		return
	}
	z := a.surprised(p)
	a.surprise = a.surprise/2 + z
	switch {
	case a.surprise < -shock: // some of the answers are from before the change
		a.forget()
		a.estimate = a.clamp(p.inFlight / gainSearch)
		a.move(below, p.inFlight/gainSearch, now)
	case a.surprise > shock:
		a.forget()
		a.curve.add(p)
		a.move(above, p.inFlight*gainSearch, now)
	case z > hint:
		a.curve.add(p)
		a.move(above, p.inFlight*gainSearch, now)
	case z < -hint: // look again
		a.curve.add(p)
		a.move(a.phase, p.inFlight, now)
	default:
		a.curve.add(p)
		a.next(now)
	}
}

// guess starts the search from the latency at low load. It is only a guess, because the
// latency may rise under load. mu must be held.
func (a *adaptive) guess(rest curve, p point, now time.Time) {
	rest.add(p)
	n, further := rest.bend(0)
	a.curve.add(p)
	a.estimate = a.clamp(n)
	if further {
		a.move(above, p.inFlight*gainSearch, now)
	} else {
		a.enter(below, now)
	}
}

// forget drops the observations, because they no longer hold.
func (a *adaptive) forget() { a.curve, a.known, a.surprise = curve{}, false, 0 }

// surprised returns, in standard deviations, how many more answers a phase has than
// expected; below 0 = fewer. Requests that differ much in duration cause large deviations
// by themselves, so surprised divides by the usual deviation.
func (a *adaptive) surprised(p point) float64 {
	if !a.known {
		return 0
	}
	z := a.curve.surprise(p, a.estimate)
	usual := max(a.spread, 1)
	a.spread += spreadFade * (min(z*z, 9*usual) - a.spread)
	return z / math.Sqrt(usual)
}

// next updates the estimate. Then it continues the cycle, or searches further if the
// curve may bend beyond its known range. mu must be held.
func (a *adaptive) next(now time.Time) {
	n, further := a.curve.bend(doubt * max(a.spread, 1))
	a.estimate = a.clamp(n)
	least, most := a.curve.span()
	fewer := n <= least*fineness && least > float64(a.opts.Min)
	more := further && most < float64(a.opts.Max)
	if fewer && more { // one point only, or all points agree with every bend
		fewer = a.phase != above
	}
	a.known = !fewer && !more
	switch {
	case fewer:
		a.move(below, least/gainSearch, now)
	case more:
		a.move(above, most*gainSearch, now)
	default:
		a.step = (a.step + 1) % len(cycle)
		a.enter(cycle[a.step], now)
	}
}

// enter starts a phase around the estimate.
func (a *adaptive) enter(p phase, now time.Time) {
	e := a.estimate
	switch p {
	case above:
		a.move(p, math.Ceil(e*gainAbove)+1, now)
	case below:
		a.move(p, min(math.Round(e*gainBelow), math.Ceil(e)-1), now)
	case along:
		a.move(p, e*gainAlong, now)
	}
}

// move starts a phase with a limit. The phase lasts a whole number of latencies, because
// answers may come in bursts of that period. It starts one latency late, because until
// then the answers belong to requests of the previous phase.
func (a *adaptive) move(p phase, limit float64, now time.Time) {
	if before := a.seen; before.answers > 0 {
		period := min(max(before.latency(), time.Millisecond), phaseMost)
		wanted := min(max(phaseLeast, time.Duration(phaseSamples/before.rate()*float64(time.Second))), phaseMost)
		a.seen = tally{began: now.Add(period)}
		a.seen.ends = a.seen.began.Add((wanted + period - 1) / period * period)
	} else {
		a.seen = tally{}
	}
	a.phase = p
	a.now.Store(int64(a.clamp(math.Round(limit))))
}

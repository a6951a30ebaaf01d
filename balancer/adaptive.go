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
	Start   int // and begins here; 0 = 10
}

// adaptive finds how many requests at once saturate an upstream. More of them
// bring no more answers, and fewer take no less time: both show only where the
// limit is not, so it moves in short phases to either side of the estimate, and
// the estimate is what fits best all that they have shown ([curve]). Nothing goes
// by the least or the greatest latency, because the latency of an application
// varies by itself: a limit that does so collapses.
//
// What comes as a surprise begins the search anew, above or below: the upstream
// has changed. While clients ask for less than the limit, the estimate stays.
type adaptive struct {
	now  atomic.Int64 // the limit of this moment
	opts AdaptiveOptions

	mu       sync.Mutex // protects the fields below
	estimate float64
	idled    bool // in the phase before, clients asked for less than the limit
	known    bool // the estimate is not just where the search has got to
	curve    curve
	rest     curve // of phases in which clients asked for less
	phase    phase
	step     int     // in the cycle
	seen     tally   // in this phase
	surprise float64 // of the last phases, which fades
	spread   float64 // the variance of surprises, of which chance alone makes 1
}

// phase is where the limit is.
type phase uint8

const (
	above phase = iota
	below
	along
)

// cycle is the order of the phases while the estimate holds. It is more often
// above, where nothing is lost but some time of those that queue, than below.
var cycle = [...]phase{above, below, above, along}

// What the limit is in each phase, as a multiple of the estimate. Along it, a
// little more than what is just enough keeps the upstream busy while answers
// travel.
const (
	gainAbove  = 1.2
	gainBelow  = 0.8
	gainAlong  = 1.05
	gainSearch = 2 // from one phase of a search to the next
)

const (
	phaseSamples = 30                     // answers that a phase waits for
	phaseLeast   = 50 * time.Millisecond  // a phase's least time
	phaseMost    = 500 * time.Millisecond // after this it ends with what it has
	plain        = 0.5                    // share of the limit in flight at which nothing queues
	fails        = 0.2                    // share of failures that says by itself that it is too much
)

const (
	hint       = 2    // standard deviations of a surprise that is worth another look
	shock      = 3.5  // of surprises that say that the upstream has changed
	spreadFade = 0.05 // what a phase counts for in their variance
	doubt      = 0.5  // logarithm of how much less likely a bend beyond what is known is, that is looked for
)

// tally is what a phase has seen, since the requests of the one before it had
// time to end.
type tally struct {
	began    time.Time
	ends     time.Time
	answers  int
	failures int
	reached  int           // answers at whose time the limit was reached
	inFlight int64         // summed over the answers
	took     time.Duration // the same
}

// rate returns the answers a second.
func (t *tally) rate() float64 { return float64(t.answers) / t.ends.Sub(t.began).Seconds() }

// latency returns how long an answer took, by Little's law.
func (t *tally) latency() time.Duration {
	return time.Duration(t.mean() / t.rate() * float64(time.Second))
}

// mean returns how many requests were in flight.
func (t *tally) mean() float64 { return float64(t.inFlight) / float64(t.answers) }

// point returns what the phase has shown, with so many requests in flight.
func (t *tally) point(inFlight float64) point {
	return point{inFlight, float64(t.answers), t.ends.Sub(t.began).Seconds()}
}

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

// begin begins anew, whether or not the options are on, where o.Start is rather too
// little: the search goes up.
func (a *adaptive) begin(o AdaptiveOptions) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.start(o)
	a.enter(above, time.Time{})
}

// end takes the limit off.
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

// limit returns how many requests at once the upstream may get; 0 = no limit.
func (a *adaptive) limit() int64 { return a.now.Load() }

func (a *adaptive) clamp(v float64) float64 {
	return min(max(v, float64(a.opts.Min)), float64(a.opts.Max))
}

// record notes an attempt that has ended, and began at a Unix time in
// nanoseconds. inFlight is the number of requests that the upstream had, this one
// included. It reports whether the limit has changed.
func (a *adaptive) record(o Outcome, began int64, inFlight int) bool {
	before := a.now.Load()
	if before == 0 || o == Ignored {
		return false
	}
	now := time.Now()
	a.ended(o, now, time.Duration(now.UnixNano()-began), int64(inFlight))
	return a.now.Load() != before
}

// ended is record at a moment.
func (a *adaptive) ended(o Outcome, now time.Time, took time.Duration, inFlight int64) {
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

// conclude draws the phase's conclusions and goes to the next. Called with mu
// held.
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
	case a.idled: // and still when this one began
		a.idled = false
		a.move(a.phase, float64(a.now.Load()), now)
	default:
		a.learn(s.point(s.mean()), now)
	}
}

// idle notes a phase in which clients asked for less than the limit. When it was
// much less, nothing queued, and it shows how long an answer takes. How many were
// in flight is then told by Little's law. Called with mu held.
func (a *adaptive) idle(now time.Time) {
	s := &a.seen
	if n := s.took.Seconds() / s.ends.Sub(s.began).Seconds(); n > 0 && n < plain*float64(a.now.Load()) {
		a.rest.add(s.point(n))
	}
	a.idled = true
	a.enter(along, now)
}

// learn goes by what a phase has shown in which the limit was reached. Called
// with mu held.
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
	case a.surprise < -shock: // some of the answers are still of before
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
	case z < -hint: // once more
		a.curve.add(p)
		a.move(a.phase, p.inFlight, now)
	default:
		a.curve.add(p)
		a.next(now)
	}
}

// guess places the search by how long answers have taken while little was asked.
// It is only a guess, because under load they may take longer. Called with mu
// held.
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

// forget is called when what has been seen is no longer true.
func (a *adaptive) forget() { a.curve, a.known, a.surprise = curve{}, false, 0 }

// surprised returns by how much the answers of a phase are more or fewer than
// they should be, in standard deviations. Requests that differ much from one
// another make greater ones, by themselves.
func (a *adaptive) surprised(p point) float64 {
	if !a.known {
		return 0
	}
	z := a.curve.surprise(p, a.estimate)
	usual := max(a.spread, 1)
	a.spread += spreadFade * (min(z*z, 9*usual) - a.spread)
	return z / math.Sqrt(usual)
}

// next makes the estimate, and goes on in the cycle, or looks further when the
// curve may bend beyond what is known of it. Called with mu held.
func (a *adaptive) next(now time.Time) {
	n, further := a.curve.bend(doubt * max(a.spread, 1))
	a.estimate = a.clamp(n)
	least, most := a.curve.span()
	fewer := n <= least*fineness && least > float64(a.opts.Min)
	more := further && most < float64(a.opts.Max)
	if fewer && more { // nothing is known yet, or all of it is alike
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

// enter begins a phase about the estimate.
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

// move begins a phase with a limit. It looks at whole latencies, because answers
// may come in bursts of that period, and after the first, because until then they
// are answers to what was asked before.
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

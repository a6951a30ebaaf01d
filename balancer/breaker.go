package balancer

import (
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"
)

// BreakerOptions configure the circuit breaker of each upstream in a pool. The zero value
// means no breaker.
type BreakerOptions struct {
	Enabled      bool
	Consecutive  int           // failures in a row that open the breaker; 0 = this rule is off
	FailureRatio float64       // share of failures within Window that opens it; 0 = this rule is off
	MinRequests  int           // smallest number of requests within Window for FailureRatio
	Window       time.Duration // time over which the breaker counts; 0 = 10 s
	OpenFor      time.Duration // first open time, doubled each time the breaker opens again; 0 = 5 s
	MaxOpenFor   time.Duration // upper bound of the doubling; a value below OpenFor counts as OpenFor
}

// BreakerState is a circuit breaker's state.
type BreakerState uint32

const (
	Closed   BreakerState = iota // requests pass
	HalfOpen                     // a few requests pass as trials
	Open                         // no request passes
)

const (
	windowBuckets = 10 // the window forgets a tenth at a time
	trialRequests = 2  // successes in a row that close a half-open breaker
	openJitter    = 0.2
	// trialBound is the time that a half-open breaker waits for its trials. Then it also
	// admits others, so that a long request does not keep it shut.
	trialBound = 30 * time.Second
	// wakeDelay is the delay before a hastened breaker ends its open time. A timer does
	// it, as for the normal open time, so that callers of hasten may hold locks.
	wakeDelay = time.Millisecond
)

var errFailure = errors.New("upstream failed")

// breaker wraps a gobreaker and adds four things: an open time that grows, a wake-up
// without traffic, more trials beside long ones, and callbacks outside its lock. The zero
// value is switched off: always closed.
//
// gobreaker counts results and decides. Requests ask stages (breakerstate.go), which
// follows each of gobreaker's moves.
//
// The breaker reports a request to gobreaker at the result, not at the start. Otherwise
// gobreaker would count the result at the time of the start, and miss every timeout
// longer than Window. It would also admit no trials beside those that take long.
//
// gobreaker moves from open to half-open in the first call after its timeout, which is 1
// ns here. While gobreaker is open, only this breaker's timer calls it, and so decides
// the time of the move. The lock feeding keeps results away from it meanwhile.
//
// Two flags are not part of the stage. stopped means that the upstream has left: its last
// results may still open the breaker, but without a timer. settling marks the goroutine
// that reports moves to the pool. It reports without a lock, so that the pool may call
// back; therefore a lock cannot keep the order of reports, and the flag does.
type breaker struct {
	stages // moved with mu held

	told    atomic.Uint64                                      // the last round whose timer is set and that the pool knows
	cb      atomic.Pointer[gobreaker.CircuitBreaker[struct{}]] // nil = switched off
	feeding sync.Mutex                                         // held while gobreaker gets a result; taken before its lock
	calls   breakerCalls

	mu       sync.Mutex // protects the moves and the fields below; may be taken under gobreaker's lock, not the other way round
	opts     BreakerOptions
	stopped  bool      // no more timers
	settling bool      // a goroutine runs settle
	openings int       // in a row; the open time grows with them
	closedAt time.Time // zero before the first closing and while not closed
	wake     *time.Timer
}

// breakerCalls are the breaker's questions and reports to the pool.
type breakerCalls struct {
	outlier func() bool        // whether it may open against its own rules; runs like mayOpen; nil = never
	mayOpen func() bool        // whether it may open; runs under gobreaker's lock and must not call back into the breaker
	spared  func()             // it was allowed to open but has new options and stays closed; runs like mayOpen
	changed func(BreakerState) // reports each change, without a lock held
	freed   func()             // reports that more trials may pass while half-open, without a lock held
}

// start makes the breaker, closed.
func (b *breaker) start(o BreakerOptions, calls breakerCalls) {
	b.calls = calls
	b.configure(o)
}

// configure starts again with other options, closed. It does not report this to the pool,
// which is the caller.
func (b *breaker) configure(o BreakerOptions) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.begin(o)
	b.told.Store(b.round())
}

// begin starts again. Results of requests admitted before no longer count. mu must be
// held.
func (b *breaker) begin(o BreakerOptions) {
	if o.Window <= 0 {
		o.Window = 10 * time.Second
	}
	if o.OpenFor <= 0 {
		o.OpenFor = 5 * time.Second
	}
	o.MaxOpenFor = max(o.MaxOpenFor, o.OpenFor)
	b.opts, b.openings, b.closedAt = o, 0, time.Time{}
	b.halt()
	b.turn(onAnew)
	b.cb.Store(nil)
	if !o.Enabled {
		return
	}
	var cb *gobreaker.CircuitBreaker[struct{}]
	cb = gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		MaxRequests:  trialRequests,
		Interval:     o.Window,
		BucketPeriod: o.Window / windowBuckets,
		Timeout:      1,
		ReadyToTrip: func(c gobreaker.Counts) bool {
			return (o.tripped(c) || b.calls.outlier != nil && b.calls.outlier()) && b.calls.mayOpen()
		},
		// OnStateChange runs under gobreaker's lock: it only notes the change.
		OnStateChange: func(_ string, _, to gobreaker.State) { b.note(cb, to) },
	})
	b.cb.Store(cb)
}

// tripped is the rule that opens the breaker.
func (o BreakerOptions) tripped(c gobreaker.Counts) bool {
	if o.Consecutive > 0 && c.ConsecutiveFailures >= uint32(o.Consecutive) {
		return true
	}
	n := c.TotalSuccesses + c.TotalFailures
	return o.FailureRatio > 0 && n >= uint32(max(o.MinRequests, 1)) &&
		float64(c.TotalFailures) >= o.FailureRatio*float64(n)
}

// saidBy maps gobreaker's new states to events.
var saidBy = map[gobreaker.State]event{
	gobreaker.StateOpen:     onTrip,
	gobreaker.StateHalfOpen: onWake,
	gobreaker.StateClosed:   onHeal,
}

// note handles a new state of cb. It ignores a cb that another one has replaced.
func (b *breaker) note(cb *gobreaker.CircuitBreaker[struct{}], to gobreaker.State) {
	b.mu.Lock()
	present := b.cb.Load() == cb
	if present {
		if b.stage() == stageEarly && to == gobreaker.StateOpen {
			b.openings-- // an early trial failed: the next open time does not grow
		}
		b.turn(saidBy[to])
	}
	b.mu.Unlock()
	if !present {
		b.calls.spared()
	}
}

// report handles the outcome of a request that was admitted with pass. It ignores
// requests that were admitted before the last change.
func (b *breaker) report(pass uint64, o Outcome) {
	cb := b.cb.Load()
	if cb == nil || b.round() != pass {
		return
	}
	if o == Ignored {
		b.giveBack(pass)
		return
	}
	b.feed(cb, pass, o)
	b.settle()
}

// feed passes a result to gobreaker, unless the state has changed meanwhile.
func (b *breaker) feed(cb *gobreaker.CircuitBreaker[struct{}], pass uint64, o Outcome) {
	b.feeding.Lock()
	defer b.feeding.Unlock()
	if b.round() != pass {
		return
	}
	cb.Execute(func() (struct{}, error) {
		if o == Success {
			return struct{}{}, nil
		}
		return struct{}{}, errFailure
	})
}

// settled reports whether all moves are settled.
func (b *breaker) settled() bool { return b.told.Load() == b.round() }

// settle sets the timer and reports to the pool after moves, outside gobreaker's lock.
// Only one goroutine at a time does so, so that the pool gets the last state last.
func (b *breaker) settle() {
	if b.settled() {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.settling {
		return
	}
	b.settling = true
	defer func() { b.settling = false }()
	for !b.settled() {
		b.told.Store(b.round())
		b.schedule()
		b.tell(b.current())
	}
}

// schedule sets the timer of the current stage. mu must be held.
func (b *breaker) schedule() {
	switch b.current() {
	case Open:
		b.sleep()
	case HalfOpen:
		b.admitMore(b.round())
	case Closed:
		b.closedAt = time.Now()
		b.halt()
	}
}

// tell reports a state to the pool. It unlocks mu for that time.
func (b *breaker) tell(s BreakerState) {
	b.mu.Unlock()
	defer b.mu.Lock()
	b.calls.changed(s)
}

// sleep sets the timer that ends the open time. mu must be held.
func (b *breaker) sleep() {
	if !b.closedAt.IsZero() && time.Since(b.closedAt) >= b.opts.MaxOpenFor {
		b.openings = 0
	}
	b.closedAt = time.Time{}
	d := b.opts.openTime(b.openings, rand.Float64())
	if b.stage() == stageHastened {
		d = wakeDelay
	}
	b.after(d, b.halfOpen)
	b.openings++
}

// hasten ends the open time now. It takes no lock except mu.
func (b *breaker) hasten() {
	b.mu.Lock()
	defer b.mu.Unlock()
	settled := b.settled()
	if b.turn(onHasten) && settled { // otherwise settle is about to set the timer
		b.told.Store(b.round()) // the pool already knows that it is open
		b.after(wakeDelay, b.halfOpen)
	}
}

// wasEarly reports whether the breaker became half-open before its time.
func (b *breaker) wasEarly() bool { return b.stage() == stageEarly }

// openTime returns the open time after n openings in a row. It doubles each time. A
// random share on top keeps the upstreams of a pool from returning all at once.
func (o BreakerOptions) openTime(n int, random float64) time.Duration {
	d := o.OpenFor << min(n, 16)
	if d <= 0 || d > o.MaxOpenFor {
		d = o.MaxOpenFor
	}
	return d + time.Duration(openJitter*random*float64(d))
}

// halfOpen lets trials through. The call of State moves gobreaker.
func (b *breaker) halfOpen() {
	if cb := b.cb.Load(); cb != nil {
		cb.State()
		b.settle()
	}
}

// admitMore sets the timer that lets other requests pass beside the trials of a round. mu
// must be held.
func (b *breaker) admitMore(round uint64) {
	b.after(trialBound, func() {
		b.mu.Lock()
		present := b.round() == round
		if present {
			b.free()
			b.admitMore(round)
		}
		b.mu.Unlock()
		if present {
			b.calls.freed()
		}
	})
}

// pardon closes an open breaker, because the upstream was not the cause.
func (b *breaker) pardon() {
	b.mu.Lock()
	if b.current() == Open {
		b.begin(b.opts)
	}
	b.mu.Unlock()
	b.settle()
}

// anew closes the breaker in any stage and clears its counts, because the failures came
// from an upstream that was shutting down.
func (b *breaker) anew() {
	b.mu.Lock()
	b.begin(b.opts)
	b.mu.Unlock()
	b.settle()
}

// after replaces the breaker's timer. mu must be held.
func (b *breaker) after(d time.Duration, f func()) {
	b.halt()
	if !b.stopped {
		b.wake = time.AfterFunc(d, f)
	}
}

// halt stops the breaker's timer. mu must be held.
func (b *breaker) halt() {
	if b.wake != nil {
		b.wake.Stop()
	}
}

// stop stops the breaker's timer for good.
func (b *breaker) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopped = true
	b.halt()
}

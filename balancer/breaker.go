package balancer

import (
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"
)

// BreakerOptions configure the circuit breaker of each upstream in a pool.
// The zero value means no breaker.
type BreakerOptions struct {
	Enabled      bool
	Consecutive  int           // failures in a row that open it; 0 = never by this rule
	FailureRatio float64       // share of failures within Window that opens it; 0 = never by this rule
	MinRequests  int           // requests within Window before FailureRatio counts
	Window       time.Duration // what the breaker remembers; 0 = 10 s
	OpenFor      time.Duration // first open time, doubled each time it opens again; 0 = 5 s
	MaxOpenFor   time.Duration // bound of the doubling; below OpenFor counts as OpenFor
}

// BreakerState is a circuit breaker's state.
type BreakerState uint32

const (
	Closed   BreakerState = iota // requests pass
	HalfOpen                     // a few requests pass as a trial
	Open                         // no request passes
)

const (
	windowBuckets = 10 // the window forgets a tenth at a time
	trialRequests = 2  // successes in a row that close a half-open breaker
	openJitter    = 0.2
	// trialBound is how long a half-open breaker waits for its trials before
	// it gives their places to others, so that no lost result keeps it shut.
	trialBound = 30 * time.Second
	// wakeDelay is how long a breaker takes to end its open time early. It is a
	// timer like the other, so that whoever asks for it may hold locks.
	wakeDelay = time.Millisecond
)

var errFailure = errors.New("upstream failed")

// breaker is a gobreaker with what that leaves to its user: an open time that
// grows, a wake-up that needs no traffic, trials that always end, and callbacks
// outside its lock. The zero value is switched off: always closed.
//
// gobreaker counts and decides; stages, in breakerstate.go, is what requests ask,
// and follows it move by move.
//
// gobreaker learns of a request when its result is known, not when it starts.
// It would otherwise count a result for the time of the start, and so miss
// every timeout longer than Window; and it would wait for ever for the result
// of a trial that was lost.
//
// gobreaker moves from open to half-open lazily, in the first call after its
// timeout, which is next to nothing here. Only this breaker's own timer calls it
// while it is open, and so decides when that happens; feeding sees to it that no
// result does.
//
// Two flags are no part of the stage. Stopped says that the upstream has gone,
// yet the last results may still open its breaker, without a timer. Settling is
// about who tells of a move, not about where it leads: the pool is told without
// a lock, so that it may call back, and so no lock can see to the order.
type breaker struct {
	stages // moved with mu held

	told    atomic.Uint64                                      // the last round that the timer was set for and the pool knows of
	cb      atomic.Pointer[gobreaker.CircuitBreaker[struct{}]] // nil = switched off
	feeding sync.Mutex                                         // held while gobreaker gets a result; taken before its lock
	calls   breakerCalls

	mu       sync.Mutex // protects the moves and the fields below; it may be taken under gobreaker's lock, not the other way
	opts     BreakerOptions
	stopped  bool      // no timer any more
	settling bool      // a goroutine is in settle
	openings int       // in a row, for the growth of the open time
	closedAt time.Time // zero before the first time and while it is not closed
	wake     *time.Timer
}

// breakerCalls are what a breaker asks and tells the pool.
type breakerCalls struct {
	outlier func() bool        // asked, as mayOpen, whether it may open although its own rules do not say so; nil = never
	mayOpen func() bool        // asked before it opens, under gobreaker's lock; must not call back into the breaker
	spared  func()             // it was allowed to open and does not, since it has got new options; as mayOpen
	changed func(BreakerState) // told of each change, without a lock held
}

// start makes the breaker, closed.
func (b *breaker) start(o BreakerOptions, calls breakerCalls) {
	b.calls = calls
	b.configure(o)
}

// configure begins anew under other options, closed. The pool is not told: it is
// who asks for it.
func (b *breaker) configure(o BreakerOptions) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.begin(o)
	b.told.Store(b.round())
}

// begin begins anew. What was admitted before says nothing any more. Called with
// mu held.
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
		// Runs under gobreaker's lock: it only notes the change.
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

// saidBy are the events that gobreaker's new states stand for.
var saidBy = map[gobreaker.State]event{
	gobreaker.StateOpen:     onTrip,
	gobreaker.StateHalfOpen: onWake,
	gobreaker.StateClosed:   onHeal,
}

// note takes a new state from cb, unless another has taken its place.
func (b *breaker) note(cb *gobreaker.CircuitBreaker[struct{}], to gobreaker.State) {
	b.mu.Lock()
	present := b.cb.Load() == cb
	if present {
		if b.stage() == stageEarly && to == gobreaker.StateOpen {
			b.openings-- // what failed was a trial before its time, so the next time is no longer
		}
		b.turn(saidBy[to])
	}
	b.mu.Unlock()
	if !present {
		b.calls.spared()
	}
}

// report takes the outcome of a request that was admitted with pass. What was
// admitted before the last change says nothing about the time after it.
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

// feed gives gobreaker a result, unless the state has changed meanwhile.
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

// settled reports whether there is nothing to settle.
func (b *breaker) settled() bool { return b.told.Load() == b.round() }

// settle acts on moves, outside gobreaker's lock. One goroutine does so at a
// time, so that the last state is the last that the pool is told of.
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

// schedule sets the timer of the present stage. Called with mu held.
func (b *breaker) schedule() {
	switch b.current() {
	case Open:
		b.sleep()
	case HalfOpen:
		round := b.round()
		b.after(trialBound, func() { b.renew(round) })
	case Closed:
		b.closedAt = time.Now()
		b.halt()
	}
}

// tell tells the pool of a state, without the lock that is held.
func (b *breaker) tell(s BreakerState) {
	b.mu.Unlock()
	defer b.mu.Lock()
	b.calls.changed(s)
}

// sleep sets the timer that ends the open time. Called with mu held.
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

// hasten ends the open time now. It takes no lock but mu.
func (b *breaker) hasten() {
	b.mu.Lock()
	defer b.mu.Unlock()
	settled := b.settled()
	if b.turn(onHasten) && settled { // else settle is about to set the timer
		b.told.Store(b.round()) // the pool knows that it is open
		b.after(wakeDelay, b.halfOpen)
	}
}

// wasEarly reports whether the breaker is half-open before its time.
func (b *breaker) wasEarly() bool { return b.stage() == stageEarly }

// openTime returns how long the breaker stays open after n openings in a row:
// doubled each time, with a random share on top so that the upstreams of a pool
// do not all come back at once.
func (o BreakerOptions) openTime(n int, random float64) time.Duration {
	d := o.OpenFor << min(n, 16)
	if d <= 0 || d > o.MaxOpenFor {
		d = o.MaxOpenFor
	}
	return d + time.Duration(openJitter*random*float64(d))
}

// halfOpen lets trials through; asking gobreaker for its state is what moves it.
func (b *breaker) halfOpen() {
	if cb := b.cb.Load(); cb != nil {
		cb.State()
		b.settle()
	}
}

// renew gives up the trials of a round, and begins another.
func (b *breaker) renew(round uint64) {
	b.mu.Lock()
	if b.round() == round {
		b.turn(onLost)
	}
	b.mu.Unlock()
	b.settle()
}

// pardon closes a breaker that is open, because the upstream was not to blame.
func (b *breaker) pardon() {
	b.mu.Lock()
	if b.current() == Open {
		b.begin(b.opts)
	}
	b.mu.Unlock()
	b.settle()
}

// anew closes the breaker and forgets what it has counted, whatever its stage: the
// upstream was about to end.
func (b *breaker) anew() {
	b.mu.Lock()
	b.begin(b.opts)
	b.mu.Unlock()
	b.settle()
}

// after replaces the breaker's timer. Called with mu held.
func (b *breaker) after(d time.Duration, f func()) {
	b.halt()
	if !b.stopped {
		b.wake = time.AfterFunc(d, f)
	}
}

// halt ends the breaker's timer. Called with mu held.
func (b *breaker) halt() {
	if b.wake != nil {
		b.wake.Stop()
	}
}

// stop ends the breaker's timer for good.
func (b *breaker) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopped = true
	b.halt()
}

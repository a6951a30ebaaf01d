package http1

import (
	"sync"
	"time"
)

// stage is what a connection's reader waits for.
type stage uint8

const (
	stageSending stage = iota // the request is still being written
	stageHeader               // the response's header
	stageBody                 // the response's body
)

// waker bounds the waits in one direction of a connection. Setting a deadline
// for every wait would cost more than the rest of the bookkeeping. So the
// socket's deadline is only a wake-up: one that comes no later than the bound
// is left as it is, and when it fires too early the next one is set.
type waker struct {
	set   func(time.Time) error
	eager bool // a wake-up that is too early does harm

	mu    sync.Mutex // protects the fields below
	until time.Time  // the bound; zero = none
	armed time.Time  // the socket's deadline; zero = none
	stage stage
}

// bound bounds the waits of a stage until a moment, the zero time meaning
// never. It does nothing once a later stage has begun.
func (w *waker) bound(until time.Time, s stage) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s < w.stage {
		return
	}
	w.stage, w.until = s, until
	if w.eager && until != w.armed || !until.IsZero() && (w.armed.IsZero() || until.Before(w.armed)) {
		w.armed = until
		w.set(until)
	}
}

// again reports whether a deadline that fired came before the bound; the next
// one is set then.
func (w *waker) again() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.until.IsZero() && !time.Now().Before(w.until) {
		return false
	}
	w.armed = w.until
	w.set(w.until)
	return true
}

// reset begins a new exchange, without a bound.
func (w *waker) reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stage, w.until = stageSending, time.Time{}
}

// release takes the deadline off for good.
func (w *waker) release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.until, w.armed = time.Time{}, time.Time{}
	w.set(time.Time{})
}

// reached reports whether a stage has begun.
func (w *waker) reached(s stage) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stage >= s
}

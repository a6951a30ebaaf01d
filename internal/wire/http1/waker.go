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
	wake  time.Time // a wake-up of its own while the header is awaited; zero = none
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
	next := w.next()
	exact := w.eager || next != until
	if exact && next != w.armed || !next.IsZero() && (w.armed.IsZero() || next.Before(w.armed)) {
		w.armed = next
		w.set(next)
	}
}

// next returns when to be woken. Called with mu held.
func (w *waker) next() time.Time {
	if w.stage == stageHeader && !w.wake.IsZero() && (w.until.IsZero() || w.wake.Before(w.until)) {
		return w.wake
	}
	return w.until
}

// wakeAt sets the moment of the wake-up; zero = none. It counts from [waker.again]
// on.
func (w *waker) wakeAt(t time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wake = t
}

// wakes reports, once, that the moment of the wake-up has come.
func (w *waker) wakes() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.wake.IsZero() || w.stage != stageHeader || time.Now().Before(w.wake) {
		return false
	}
	w.wake = time.Time{}
	return true
}

// again reports whether a deadline that fired came before the bound; the next
// one is set then.
func (w *waker) again() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.until.IsZero() && !time.Now().Before(w.until) {
		return false
	}
	w.armed = w.next()
	w.set(w.armed)
	return true
}

// wakeBy sees to it that the next wait is woken by t, if only to be told to go on.
func (w *waker) wakeBy(t time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.armed.IsZero() || t.Before(w.armed) {
		w.armed = t
		w.set(t)
	}
}

// reset begins a new call, without a bound, and with a wake-up of its own
// while its header is awaited; zero = none.
func (w *waker) reset(wake time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stage, w.until, w.wake = stageSending, time.Time{}, wake
}

// release takes the deadline off for good.
func (w *waker) release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.until, w.armed, w.wake = time.Time{}, time.Time{}, time.Time{}
	w.set(time.Time{})
}

// reached reports whether a stage has begun.
func (w *waker) reached(s stage) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stage >= s
}

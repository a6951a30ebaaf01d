package http1

import (
	"time"

	"github.com/goodgate/goodgate/internal/wire/deadline"
)

// stage is what the reader of a connection waits for.
type stage uint8

const (
	stageSending stage = iota // the request is still being written
	stageHeader               // the response's header
	stageBody                 // the response's body
)

// waker bounds the waits of a connection's reader in each stage.
type waker struct {
	deadline.Alarm // its lock protects the fields below
	stage          stage
	wake           time.Time // extra wake-up while the reader waits for the header; zero = none
	mind           time.Time // when to start watching the end of the call's context; zero = done
}

// Bound sets the end of the waits of a stage; the zero time = never. It does nothing once
// a later stage has begun.
func (w *waker) Bound(until time.Time, s stage) {
	w.Lock()
	defer w.Unlock()
	if s >= w.stage {
		w.stage = s
		w.SetBound(until, w.next(until))
	}
}

// next returns the next wake-up. The lock must be held.
func (w *waker) next(until time.Time) time.Time {
	if w.stage != stageHeader || w.wake.IsZero() || !until.IsZero() && !w.wake.Before(until) {
		return until
	}
	if !w.mind.IsZero() && w.mind.Before(w.wake) {
		return w.mind
	}
	return w.wake
}

// mindBy wakes the wait at t to start watching the end of the call's context. The zero
// time means that this is done.
func (w *waker) mindBy(t time.Time) {
	w.Lock()
	w.mind = t
	w.Unlock()
	if !t.IsZero() {
		w.Wake(t)
	}
}

// wakeAt sets the time of the extra wake-up; zero = none. It takes effect at
// [waker.Again].
func (w *waker) wakeAt(t time.Time) {
	w.Lock()
	defer w.Unlock()
	w.wake = t
}

// wakes reports, once, that the time of the extra wake-up has come.
func (w *waker) wakes() bool {
	w.Lock()
	defer w.Unlock()
	if w.wake.IsZero() || w.stage != stageHeader || time.Now().Before(w.wake) {
		return false
	}
	w.wake = time.Time{}
	return true
}

// Again is [deadline.Alarm.Again] with the extra wake-up.
func (w *waker) Again() bool {
	w.Lock()
	defer w.Unlock()
	return w.SetAgain(w.next(w.Until))
}

// reset starts a new call without a bound, and with an extra wake-up during the wait for
// its header; zero = none.
func (w *waker) reset(wake time.Time) {
	w.Lock()
	defer w.Unlock()
	w.stage, w.Until, w.wake, w.mind = stageSending, time.Time{}, wake, time.Time{}
}

// reached reports whether a stage has begun.
func (w *waker) reached(s stage) bool {
	w.Lock()
	defer w.Unlock()
	return w.stage >= s
}

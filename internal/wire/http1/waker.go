package http1

import (
	"time"

	"github.com/goodgate/goodgate/internal/wire/deadline"
)

// stage is what a connection's reader waits for.
type stage uint8

const (
	stageSending stage = iota // the request is still being written
	stageHeader               // the response's header
	stageBody                 // the response's body
)

// waker bounds the waits of a connection's reader, stage by stage.
type waker struct {
	deadline.Alarm // its lock protects the fields below
	stage          stage
	wake           time.Time // a wake-up of its own while the header is awaited; zero = none
	mind           time.Time // when to mind the end of the call's context; zero = that is done
}

// Bound bounds the waits of a stage until a moment, the zero time meaning
// never. It does nothing once a later stage has begun.
func (w *waker) Bound(until time.Time, s stage) {
	w.Lock()
	defer w.Unlock()
	if s >= w.stage {
		w.stage = s
		w.SetBound(until, w.next(until))
	}
}

// next returns when to be woken. Called with the lock held.
func (w *waker) next(until time.Time) time.Time {
	if w.stage != stageHeader || w.wake.IsZero() || !until.IsZero() && !w.wake.Before(until) {
		return until
	}
	if !w.mind.IsZero() && w.mind.Before(w.wake) {
		return w.mind
	}
	return w.wake
}

// mindBy has the wait woken in time to mind the end of the call's context; the zero
// time says that it is minded.
func (w *waker) mindBy(t time.Time) {
	w.Lock()
	w.mind = t
	w.Unlock()
	if !t.IsZero() {
		w.Wake(t)
	}
}

// wakeAt sets the moment of the wake-up; zero = none. It counts from [waker.Again]
// on.
func (w *waker) wakeAt(t time.Time) {
	w.Lock()
	defer w.Unlock()
	w.wake = t
}

// wakes reports, once, that the moment of the wake-up has come.
func (w *waker) wakes() bool {
	w.Lock()
	defer w.Unlock()
	if w.wake.IsZero() || w.stage != stageHeader || time.Now().Before(w.wake) {
		return false
	}
	w.wake = time.Time{}
	return true
}

// Again is [deadline.Alarm.Again] with the wake-up.
func (w *waker) Again() bool {
	w.Lock()
	defer w.Unlock()
	return w.SetAgain(w.next(w.Until))
}

// reset begins a new call, without a bound, and with a wake-up of its own
// while its header is awaited; zero = none.
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

// Package deadline bounds the waits on a connection, and its age, for both sides.
//
// An [Alarm] keeps the bound for one direction, and sets the socket's deadline as rarely
// as possible. To set it for every wait would cost more than all other bookkeeping. So
// the socket's deadline is only a wake-up: the Alarm leaves one that is not later than
// the bound, and sets the next one if it fires too early.
package deadline

import (
	"errors"
	"os"
	"sync"
	"time"
)

// Alarm bounds the waits in one direction of a connection. The zero value has no bound.
// Set must be set before the first bound. An Alarm is safe for concurrent use.
type Alarm struct {
	Set   func(time.Time) error // sets the socket's deadline
	Eager bool                  // a wake-up before the bound does harm

	sync.Mutex           // protects the fields below, and fields of types that embed an Alarm
	Until      time.Time // the bound; zero = none
	armed      time.Time // the socket's deadline; zero = none
}

// Bound sets the end of all waits from now on; the zero time = no bound.
func (a *Alarm) Bound(until time.Time) { a.BoundAndWake(until, time.Time{}) }

// BoundAndWake is Bound, and also wakes the wait at t or before.
func (a *Alarm) BoundAndWake(until, t time.Time) {
	a.Lock()
	defer a.Unlock()
	a.SetBound(until, until)
	a.by(t)
}

// SetBound is Bound for a wait that may need a wake-up at another time than the bound. It
// sets exactly that wake-up: an earlier one would fire for nothing in every few requests,
// which costs more. The lock must be held.
func (a *Alarm) SetBound(until, wake time.Time) {
	a.Until = until
	if !a.Eager && wake.Equal(until) {
		a.by(wake)
	} else if !wake.Equal(a.armed) {
		a.arm(wake)
	}
}

// Wake wakes the wait at t or before, whatever the bound.
func (a *Alarm) Wake(t time.Time) {
	a.Lock()
	defer a.Unlock()
	a.by(t)
}

func (a *Alarm) by(t time.Time) {
	if !t.IsZero() && (a.armed.IsZero() || t.Before(a.armed)) {
		a.arm(t)
	}
}

func (a *Alarm) arm(t time.Time) {
	a.armed = t
	a.Set(t)
}

// Again reports whether a deadline fired before the bound. Then it sets the next one.
func (a *Alarm) Again() bool {
	a.Lock()
	defer a.Unlock()
	return a.SetAgain(a.Until)
}

// SetAgain is Again with the next wake-up. The lock must be held.
func (a *Alarm) SetAgain(wake time.Time) bool {
	if !a.Until.IsZero() && !time.Now().Before(a.Until) {
		return false
	}
	a.arm(wake)
	return true
}

// Off removes the deadline. The bound is in force again from the next call.
func (a *Alarm) Off() {
	a.Lock()
	defer a.Unlock()
	a.arm(time.Time{})
}

// Interrupt ends the wait in progress, and later ones until Again or Off.
func (a *Alarm) Interrupt() {
	a.Lock()
	defer a.Unlock()
	a.arm(past)
}

var past = time.Unix(1, 0)

// Exceeded reports whether a wait failed because of its deadline.
func Exceeded(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

// After returns the time d after now; the zero time if d is 0.
func After(now time.Time, d time.Duration) (t time.Time) {
	if d > 0 {
		t = now.Add(d)
	}
	return t
}

// Package deadline bounds the waits on a connection, for both sides of HTTP/1.1.
//
// An [Alarm] stands between the bound and the socket's deadline in one direction.
// Setting that for every wait would cost more than the rest of the bookkeeping. So
// it is only a wake-up: one that comes no later than the bound is left as it is, and
// when it fires too early the next one is set.
package deadline

import (
	"errors"
	"os"
	"sync"
	"time"
)

// Alarm bounds the waits in one direction of a connection. The zero value has no
// bound, and needs Set before it is given one. Safe for concurrent use.
type Alarm struct {
	Set   func(time.Time) error // the socket's deadline
	Eager bool                  // a wake-up that is too early does harm

	sync.Mutex           // protects the fields below, and what is kept in step with them
	Until      time.Time // the bound; zero = none
	armed      time.Time // the socket's deadline; zero = none
}

// Bound bounds the waits from now on; the zero time means no bound.
func (a *Alarm) Bound(until time.Time) { a.BoundAndWake(until, time.Time{}) }

// BoundAndWake is Bound for a wait that is to be woken by t, too.
func (a *Alarm) BoundAndWake(until, t time.Time) {
	a.Lock()
	defer a.Unlock()
	a.SetBound(until, until)
	a.by(t)
}

// SetBound is Bound for a wait whose wake-up may have to be another moment than the
// bound: that is set as it is. An earlier one would fire for nothing in every few
// requests, which costs more than to set it. The caller holds the lock.
func (a *Alarm) SetBound(until, wake time.Time) {
	a.Until = until
	if !a.Eager && wake.Equal(until) {
		a.by(wake)
	} else if !wake.Equal(a.armed) {
		a.arm(wake)
	}
}

// Wake sees to it that the wait is woken by t, which need not be its bound.
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

// Again reports whether a deadline that fired came before the bound; the next one
// is set then.
func (a *Alarm) Again() bool {
	a.Lock()
	defer a.Unlock()
	return a.SetAgain(a.Until)
}

// SetAgain is Again with the next wake-up. The caller holds the lock.
func (a *Alarm) SetAgain(wake time.Time) bool {
	if !a.Until.IsZero() && !time.Now().Before(a.Until) {
		return false
	}
	a.arm(wake)
	return true
}

// Off takes the deadline off; the bound counts again from the next call.
func (a *Alarm) Off() {
	a.Lock()
	defer a.Unlock()
	a.arm(time.Time{})
}

// Interrupt ends the wait that is under way, and those to come until Again or Off.
func (a *Alarm) Interrupt() {
	a.Lock()
	defer a.Unlock()
	a.arm(past)
}

var past = time.Unix(1, 0)

// Exceeded reports whether a wait has failed by its deadline.
func Exceeded(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

// After returns the moment in d from now, none if d is 0.
func After(now time.Time, d time.Duration) (t time.Time) {
	if d > 0 {
		t = now.Add(d)
	}
	return t
}

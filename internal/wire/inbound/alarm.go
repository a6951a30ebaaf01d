package inbound

import (
	"errors"
	"os"
	"sync"
	"time"
)

// alarm bounds the waits in one direction of a connection. Setting a deadline
// for every wait would cost more than the rest of the bookkeeping. So the
// socket's deadline is only a wake-up: one that comes no later than the bound is
// left as it is, and when it fires too early the next one is set. Safe for
// concurrent use.
type alarm struct {
	set   func(time.Time) error
	eager bool // a wake-up that is too early does harm

	mu    sync.Mutex // protects the fields below
	until time.Time  // the bound; zero = none
	armed time.Time  // the socket's deadline; zero = none
}

// bound bounds the waits from now on; the zero time means no bound.
func (a *alarm) bound(until time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.setBound(until)
}

// boundAndWake is bound for a wait that is to be woken by t, too.
func (a *alarm) boundAndWake(until, t time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.setBound(until)
	a.by(t)
}

// wake sees to it that the wait is woken by t, which need not be its bound.
func (a *alarm) wake(t time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.by(t)
}

func (a *alarm) setBound(until time.Time) {
	a.until = until
	switch {
	case a.eager && !until.Equal(a.armed):
		a.arm(until)
	case a.eager || until.IsZero():
	default:
		a.by(until)
	}
}

func (a *alarm) by(t time.Time) {
	if a.armed.IsZero() || t.Before(a.armed) {
		a.arm(t)
	}
}

func (a *alarm) arm(t time.Time) {
	a.armed = t
	a.set(t)
}

// again reports whether a deadline that fired came before the bound; the next
// one is set then.
func (a *alarm) again() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.until.IsZero() && !time.Now().Before(a.until) {
		return false
	}
	a.arm(a.until)
	return true
}

// off takes the deadline off; the bound counts again from the next call.
func (a *alarm) off() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.arm(time.Time{})
}

// interrupt ends the wait that is under way, and those to come until again.
func (a *alarm) interrupt() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.arm(past)
}

var past = time.Unix(1, 0)

func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

package proxy

import (
	"errors"
	"fmt"
	"time"

	"github.com/goodgate/goodgate/reason"
)

// errPausedLong means that a request has waited for the longest time that the pause
// allows.
var errPausedLong = errors.New("the pool is still paused")

// ready waits until the pool is not paused, and takes a place in the pool's queue.
func (d *delivery) ready() *Error {
	if d.pool.Paused() != nil {
		d.leave() // else others would wait for its place
		if failed := d.standBy(); failed != nil {
			return failed
		}
	}
	if d.queued {
		return nil
	}
	return d.enter()
}

// standBy keeps the request until the pause ends. The waiting list and the time are
// bounded.
func (d *delivery) standBy() *Error {
	p := d.pool.Paused()
	if p == nil {
		return nil
	}
	failed := func(err error) *Error {
		return &Error{Reason: reason.Paused, Err: err, RetryAfter: time.Until(p.Until)}
	}
	w, err := d.pool.Standby(d.body.kept(), p)
	if err != nil {
		return failed(err)
	}
	defer w.Leave()
	began := time.Now()
	defer func() { d.record.Paused += time.Since(began) }()
	d.choice.Now = 0 // the wait may be long
	timer := time.NewTimer(p.Max)
	defer timer.Stop()
	for d.pool.Paused() != nil {
		select {
		case <-w.C:
		case <-timer.C:
			if d.pool.Paused() != nil {
				return failed(fmt.Errorf("%w, after a wait of %v (max)", errPausedLong, p.Max))
			}
		case <-d.ctx.Done():
			if why := contextReason(d.ctx); why != reason.ResponseTimeout {
				return &Error{Reason: why}
			}
			return failed(errPausedLong)
		}
	}
	return nil
}

package http1

import (
	"context"
	"time"
)

// Slow handles a response that takes long.
type Slow interface {
	// Slow returns the context that ends the call from then on, derived from the
	// request's; nil = no change. It may set the call's SlowAt to a later time for
	// another call. It must not block.
	Slow() context.Context
}

// ask calls Slow and returns its context, nil for the request's.
func (x *Call) ask() context.Context {
	at := x.SlowAt
	x.ctx = x.Slow.Slow()
	x.asked = !x.SlowAt.After(at)
	return x.ctx
}

// slowAt returns when to call Slow; the zero time = never.
func (x *Call) slowAt() (t time.Time) {
	if x.Slow != nil && !x.asked {
		t = x.SlowAt
	}
	return t
}

// context returns the context that ends the call. ctx is the request's.
func (x *Call) context(ctx context.Context) context.Context {
	switch {
	case x.ctx != nil:
		return x.ctx
	case x.Context != nil:
		return x.Context
	}
	return ctx
}

// Beside runs f on another goroutine, waits for it, and calls Slow meanwhile when it is
// due. The context of f ends with ctx and with the contexts that Slow returns, even after
// f has returned. If Slow is not due, f runs on this goroutine.
func (x *Call) Beside(ctx context.Context, f func(context.Context)) {
	at := x.slowAt()
	if at.IsZero() {
		f(x.context(ctx))
		return
	}
	ctx, cancel := context.WithCancelCause(ctx)
	endWith := func(later context.Context) {
		context.AfterFunc(later, func() { cancel(context.Cause(later)) })
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(ctx)
	}()
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			if later := x.ask(); later != nil {
				endWith(later)
			}
			if at = x.slowAt(); !at.IsZero() {
				timer.Reset(time.Until(at))
			}
		case <-done:
			return
		}
	}
}

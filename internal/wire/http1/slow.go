package http1

import (
	"context"
	"time"
)

// Slow is told that a response is long in coming.
type Slow interface {
	// Slow returns the context that ends the call from then on, which is to
	// be derived from the request's; nil leaves it at that. It may set the
	// call's SlowAt to a later moment, to be told again. It must not block.
	Slow() context.Context
}

// ask tells Slow, and returns the context that counts from then on, nil when
// that is still the request's.
func (x *Call) ask() context.Context {
	at := x.SlowAt
	x.ctx = x.Slow.Slow()
	x.asked = !x.SlowAt.After(at)
	return x.ctx
}

// slowAt returns when Slow is to be told, the zero time for never.
func (x *Call) slowAt() (t time.Time) {
	if x.Slow != nil && !x.asked {
		t = x.SlowAt
	}
	return t
}

// context returns the context that counts, given the request's.
func (x *Call) context(ctx context.Context) context.Context {
	switch {
	case x.ctx != nil:
		return x.ctx
	case x.Context != nil:
		return x.Context
	}
	return ctx
}

// Beside runs f on a goroutine of its own, waits for it, and tells Slow
// meanwhile when it is time. The context of f ends with ctx and with the one that
// Slow returns, also after f has. Where Slow need not be told, f runs on this
// goroutine.
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

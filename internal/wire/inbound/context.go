package inbound

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// requestContext is the context of a request. It is made in earnest, and the
// client watched, only when somebody asks when it ends: most requests are over
// before anybody does.
type requestContext struct {
	base  context.Context
	local net.Addr // for http.LocalAddrContextKey
	watch *watch

	mu     sync.Mutex // protects the fields below
	real   context.Context
	cancel context.CancelCauseFunc
	over   bool
}

// Deadline is the server's.
func (x *requestContext) Deadline() (time.Time, bool) { return x.base.Deadline() }

// Done returns a channel that is closed when the request has been served, when
// the client has gone, and when the server ends it.
func (x *requestContext) Done() <-chan struct{} {
	x.mu.Lock()
	if x.real != nil {
		defer x.mu.Unlock()
		return x.real.Done()
	}
	x.real, x.cancel = context.WithCancelCause(x.base)
	done, over := x.real.Done(), x.over
	if over {
		x.cancel(context.Canceled)
	}
	x.mu.Unlock()
	if !over {
		x.watch.want(x)
	}
	return done
}

// Err tells, before anybody has asked for Done, only of the server.
func (x *requestContext) Err() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case x.real != nil:
		return x.real.Err()
	case x.over:
		return context.Canceled
	}
	return x.base.Err()
}

// Value lets the context package find the one that was made in earnest.
func (x *requestContext) Value(key any) any {
	if key == http.LocalAddrContextKey {
		return x.local
	}
	x.mu.Lock()
	real := x.real
	x.mu.Unlock()
	if real != nil {
		return real.Value(key)
	}
	return x.base.Value(key)
}

// gone ends the context because the client has gone. Somebody has asked for it.
func (x *requestContext) gone() { x.cancel(context.Canceled) }

// end ends the context, if it was made, and reports whether it was.
func (x *requestContext) end() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.over = true
	if x.cancel != nil {
		x.cancel(context.Canceled)
	}
	return x.real != nil
}

package inbound

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// requestContext is the context of a request. It creates the real context, and watches
// the client, only when somebody calls Done: most requests end before that.
type requestContext struct {
	base  context.Context
	local net.Addr // for http.LocalAddrContextKey
	watch *watch

	mu     sync.Mutex // protects the fields below
	real   context.Context
	cancel context.CancelCauseFunc
	over   bool
}

// Deadline returns the server's deadline.
func (x *requestContext) Deadline() (time.Time, bool) { return x.base.Deadline() }

// Done returns a channel that closes when the request has been served, when the client
// has left, or when the server ends it.
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

// Err reports only the server's end until somebody has called Done.
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

// Value lets the context package find the real context.
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

// gone ends the context because the client has left. It must have been made.
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

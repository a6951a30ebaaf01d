package http1

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// Phase is how far a call had come.
type Phase uint8

// The phases, in order.
const (
	PhaseDial   Phase = iota // there is no connection
	PhaseWrite               // the request is being written
	PhaseHeader              // the response's header is awaited
	PhaseBody                // the response's body is read
)

func (p Phase) String() string {
	return [...]string{"connecting", "writing the request", "reading the response header", "reading the response body"}[p]
}

// Kind is what went wrong.
type Kind uint8

// The kinds of failure. Those up to Reset are the end of the connection.
const (
	Failed         Kind = iota // the network, in another way than those below
	Closed                     // the upstream closed the connection
	Reset                      // the upstream reset the connection
	Timeout                    // a bound of [Options] was reached
	Malformed                  // the response is not HTTP/1
	HeaderTooLarge             // the response's header exceeds Options.MaxHeader
	Canceled                   // the request's context ended, or Got1xx failed
	RequestBody                // reading the request's body failed
	Invalid                    // the request cannot be written in the connection's protocol
	Refused                    // the upstream said that it has not processed the request; HTTP/2 only
	NoUpgrade                  // the connection's protocol cannot be upgraded; HTTP/2 only
)

func (k Kind) String() string {
	return [...]string{
		"connection failed", "connection closed by the upstream", "connection reset by the upstream", "timed out",
		"malformed response", "response header too large", "canceled", "request body failed", "invalid request", "refused by the upstream",
		"cannot be upgraded",
	}[k]
}

// Error is the failure of a call. Err is the cause and never nil: of a
// Canceled it is the context's cause, of a RequestBody what the body returned.
type Error struct {
	Phase Phase
	Kind  Kind
	Err   error
}

func (e *Error) Error() string {
	return fmt.Sprintf("%v: %v: %v", e.Phase, e.Kind, e.Err)
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Timeout reports whether a bound of [Options] was reached.
func (e *Error) Timeout() bool { return e.Kind == Timeout }

// End is how a connection ended under a call.
type End uint8

// The ends. NoEnd is the zero value: the connection did not end, or was closed
// from this side.
const (
	NoEnd    End = iota
	FIN          // closed in order
	RST          // reset
	TimedOut     // stood still for longer than a bound
	Broken       // any other network error
)

func (e End) String() string {
	return [...]string{"none", "fin", "rst", "timeout", "broken"}[e]
}

func (e End) kind() Kind {
	return [...]Kind{NoEnd: Failed, FIN: Closed, RST: Reset, TimedOut: Timeout, Broken: Failed}[e]
}

// endOf tells how err, of a read or a write, ended the connection. EPIPE is a
// RST that came after a FIN: Linux reports one that came without as ECONNRESET.
func endOf(err error) End {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.EPIPE):
		return FIN
	case errors.Is(err, syscall.ECONNRESET):
		return RST
	case errors.Is(err, os.ErrDeadlineExceeded):
		return TimedOut
	}
	return Broken
}

// canceled is the failure of a call whose context has ended.
func canceled(ctx context.Context, p Phase) *Error {
	return &Error{p, Canceled, context.Cause(ctx)}
}

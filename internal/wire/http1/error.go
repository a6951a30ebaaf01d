package http1

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// Phase is the stage that a call had reached.
type Phase uint8

// The phases, in order.
const (
	PhaseDial   Phase = iota // there is no connection
	PhaseWrite               // the call writes the request
	PhaseHeader              // the call waits for the response's header
	PhaseBody                // the caller reads the response's body
)

func (p Phase) String() string {
	return [...]string{"connecting", "writing the request", "reading the response header", "reading the response body"}[p]
}

// Kind is the kind of a failure.
type Kind uint8

// The kinds of failure. Failed, Closed and Reset are ends of the connection.
const (
	Failed         Kind = iota // any network error without a kind below
	Closed                     // the upstream closed the connection
	Reset                      // the upstream reset the connection
	Timeout                    // a time limit of [Options] was reached
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

// Error is the failure of a call. Err is the cause and never nil. With the Kind Canceled,
// Err is the context's cause; with RequestBody, it is the error of the body.
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

// Timeout reports whether the call reached a time limit of [Options].
func (e *Error) Timeout() bool { return e.Kind == Timeout }

// End is how a connection ended during a call.
type End uint8

// The ends. NoEnd is the zero value: the connection did not end, or this side closed it.
const (
	NoEnd    End = iota
	FIN          // closed in order
	RST          // reset
	TimedOut     // nothing moved for longer than a limit
	Broken       // any other network error
)

func (e End) String() string {
	return [...]string{"none", "fin", "rst", "timeout", "broken"}[e]
}

func (e End) kind() Kind {
	return [...]Kind{NoEnd: Failed, FIN: Closed, RST: Reset, TimedOut: Timeout, Broken: Failed}[e]
}

// endOf returns the end that err, of a read or a write, stands for. EPIPE is a RST after
// a FIN: Linux reports a RST without one as ECONNRESET.
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

// canceled returns the failure of a call whose context has ended.
func canceled(ctx context.Context, p Phase) *Error {
	return &Error{p, Canceled, context.Cause(ctx)}
}

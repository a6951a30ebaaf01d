package http1

import (
	"errors"
	"sync/atomic"
)

// Turn lets only one of several calls send a request: the first one with a connection.
// The others fail with [ErrYielded]. The zero value is ready.
type Turn struct{ taken atomic.Bool }

// ErrYielded is in the error of a call that has sent nothing because another call of its
// [Turn] sends the request.
var ErrYielded = errors.New("another call sends the request")

// turn is a call's part in a [Turn].
type turn struct {
	stage atomic.Uint32 // a turnStage
	of    *Turn         // set before the stage is shared
}

type turnStage = uint32

const (
	free   turnStage = iota // it may send
	shared                  // it may send if no other call of the turn has
	begun                   // it sends
)

// TakeTurns lets the call send only if no other call of t does. If the call sends
// already, TakeTurns returns false and does nothing. It may be called during the call,
// and again with the same turn.
func (x *Call) TakeTurns(t *Turn) bool {
	if x.turn.stage.Load() == shared {
		return true
	}
	x.turn.of = t
	return x.turn.stage.CompareAndSwap(free, shared)
}

// Begins reports whether the call may send. Transports call it once they have a
// connection. It is for other transports.
func (x *Call) Begins() bool {
	t := &x.turn
	switch {
	case t.stage.CompareAndSwap(free, begun), t.stage.Load() == begun:
		return true
	case t.of.taken.CompareAndSwap(false, true):
		t.stage.Store(begun)
		return true
	}
	return false
}

// Yielded returns the failure of a call that may not send.
func Yielded() *Error { return &Error{Phase: PhaseDial, Kind: Canceled, Err: ErrYielded} }

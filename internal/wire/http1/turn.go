package http1

import (
	"errors"
	"sync/atomic"
)

// Turn lets one of several calls send a request: the first that has a connection. The
// others fail with [ErrYielded]. The zero value is ready.
type Turn struct{ taken atomic.Bool }

// ErrYielded is in the error of a call that has sent nothing because another one that
// it takes turns with sends the request.
var ErrYielded = errors.New("another call sends the request")

// turn is a call's part in a [Turn].
type turn struct {
	stage atomic.Uint32 // a turnStage
	of    *Turn         // set before the stage is shared
}

type turnStage = uint32

const (
	free   turnStage = iota // it may send
	shared                  // only if the others have not
	begun                   // it sends
)

// TakeTurns makes the call send nothing if another one that takes turns with it does. It
// reports false, and does nothing, when the call sends already. It may be called while
// the call is under way, and again with the same turn.
func (x *Call) TakeTurns(t *Turn) bool {
	if x.turn.stage.Load() == shared {
		return true
	}
	x.turn.of = t
	return x.turn.stage.CompareAndSwap(free, shared)
}

// Begins is called when there is a connection, and reports whether the call may send.
// It is for other transports.
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

// Yielded is the failure of a call that may not send.
func Yielded() *Error { return &Error{Phase: PhaseDial, Kind: Canceled, Err: ErrYielded} }

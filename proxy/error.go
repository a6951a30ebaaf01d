package proxy

import (
	"time"

	"github.com/goodgate/goodgate/reason"
)

// Error is a failure with its reason, made where it happened.
type Error struct {
	Reason   reason.Reason
	Upstream string // address; empty when no upstream was involved
	Sent     bool   // a byte of the request may have reached the upstream
	Err      error  // what happened, for the log; may be nil
	// RetryAfter is when another try is worth it, for answers that tell; 0 = 1 s.
	RetryAfter time.Duration

	status      int          // answered in place of the reason's; 0 = the reason's
	maintenance *Maintenance // whose page is answered; nil = none
}

func (e *Error) Error() string {
	s := e.Reason.String()
	if e.Upstream != "" {
		s += " from " + e.Upstream
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

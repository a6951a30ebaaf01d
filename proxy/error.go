package proxy

import (
	"time"

	"github.com/goodgate/goodgate/reason"
)

// Error is a failure with its reason.
type Error struct {
	Reason   reason.Reason
	Upstream string // its address; empty when no upstream was involved
	Sent     bool   // the upstream may have received a byte of the request
	Err      error  // details for the log; may be nil
	// RetryAfter is the time after which another try may succeed, for the Retry-After of
	// answers that have one. 0 = 1 s.
	RetryAfter time.Duration

	status      int          // of the answer; 0 = the reason's
	maintenance *Maintenance // its page is the answer; nil = none
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

package proxy

// Error is a failure with its reason, made where it happened.
type Error struct {
	Reason   Reason
	Upstream string // address; empty when no upstream was involved
	Sent     bool   // a byte of the request may have reached the upstream
	Err      error  // what happened, for the log; may be nil
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

package proxy

import (
	"time"

	"github.com/goodgate/goodgate/reason"
)

// AskedOutcome is the result of asking the service of [ForwardAuth] about a request.
type AskedOutcome uint8

const (
	AskedAdmitted AskedOutcome = iota // the service admitted the request
	AskedCache                        // a cached answer admitted it
	AskedRefused                      // the client got the service's answer
	AskedFailed                       // the service did not decide
)

// AskedOutcomes returns all outcomes.
func AskedOutcomes() []AskedOutcome {
	return []AskedOutcome{AskedAdmitted, AskedCache, AskedRefused, AskedFailed}
}

func (o AskedOutcome) String() string {
	return [...]string{"admitted", "cached", "refused", "failed"}[o]
}

// Asked describes how [ForwardAuth] asked its service about one request.
type Asked struct {
	Pool     string        // of the service
	After    time.Duration // from the start of the client's request to the question
	Took     time.Duration
	Outcome  AskedOutcome
	Err      error     // with AskedFailed
	Attempts []Attempt // requests to the service, none for a cached answer; their After also counts from the start of the client's request
}

// end notes the outcome. A client that left before it is not counted as a failure of the
// service.
func (a *Asked) end(x *exchange, answered bool, failed *Error) {
	a.Took = time.Since(x.record.Start) - a.After
	switch {
	case failed != nil && failed.Reason == reason.AuthUnavailable:
		a.Outcome, a.Err = AskedFailed, failed
	case failed != nil:
		x.record.Asked = nil
	case answered:
		a.Outcome = AskedRefused
	}
}

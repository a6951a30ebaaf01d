package proxy

import (
	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/internal/wire/message"
)

// lastResort answers a request that the delivery could not save with another attempt or
// by waiting. It uses the first of these that exists, so that no gateway error reaches
// the client:
//
//   - an older response, if it may be used for this failure
//   - the route's fallback: another pool, or a fixed response
//   - the upstream's latest response, or an error page
func (x *exchange) lastResort(a *attempt, failed *Error) (*message.Response, *Error) {
	why := failed
	if a != nil {
		why = &Error{Reason: reason.UpstreamStatus, Upstream: a.m.Addr(), Sent: true}
	}
	var end *Error
	other := x.answerOlder(why)
	if other == nil && escapes(a, failed) {
		other, end = x.fallback(why)
	}
	switch {
	case other == nil && end == nil && a != nil:
		return x.give(a), nil
	case other == nil && end == nil:
		return nil, failed
	case a != nil:
		a.discard()
	}
	return other, end
}

// escapes reports whether this outcome is a gateway error for the client.
func escapes(a *attempt, failed *Error) bool {
	if failed != nil {
		return failed.Reason.GatewayError()
	}
	return statusReason(statusOf(a.res)) != reason.None
}

// ours records that no upstream gives the answer.
func (x *exchange) ours(why *Error) {
	x.answer.from = nil
	x.record.Upstream = why.Upstream
}

// hide records that a failure is hidden from the client, and how.
func (x *exchange) hide(by reason.Means, why reason.Reason) {
	x.record.Absorbed, x.record.Hidden = by, why
}

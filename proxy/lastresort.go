package proxy

import (
	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/internal/wire/message"
)

// lastResort answers a request that the delivery could not save, by another
// upstream or by waiting. It takes the first of these that there is, so that no
// gateway error reaches the client:
//
//   - an older response, if it may be used for this
//   - the route's fallback: another pool, or a fixed response
//   - the upstream's own last response, or an error page
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

// escapes reports whether a client that gets this sees a gateway error.
func escapes(a *attempt, failed *Error) bool {
	if failed != nil {
		return failed.Reason.GatewayError()
	}
	return statusReason(statusOf(a.res)) != reason.None
}

// ours marks the answer as one that no upstream gives now.
func (x *exchange) ours(why *Error) {
	x.answer.from = nil
	x.record.Upstream = why.Upstream
}

// hide notes that a failure is kept from the client.
func (x *exchange) hide(by reason.Means, why reason.Reason) {
	x.record.Absorbed, x.record.Hidden = by, why
}

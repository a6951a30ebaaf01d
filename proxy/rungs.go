package proxy

import (
	"net/http"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/internal/message"
)

// conclude takes what the delivery has come to. A good answer may be kept for
// worse times; for an error there are the last rungs. RFC 5861 counts a 500 among
// those that an older response may stand in for.
func (x *exchange) conclude(a *attempt, failed *Error) (*message.Response, *Error) {
	older := x.route.Pool.stale
	switch {
	case escapes(a, failed):
		return x.lastRungs(a, failed)
	case failed != nil:
		return nil, failed
	case older == nil:
	case a.res.StatusCode == http.StatusInternalServerError:
		return x.lastRungs(a, nil)
	default:
		x.remember(older, a.res)
	}
	return x.give(a), nil
}

// lastRungs is the end of the ladder: what the delivery could not mend, by
// another upstream or by waiting, is answered in the first of these ways that
// there is, so that no gateway error reaches the client:
//
//   - by an older response that may be used so
//   - by the route's fallback: another pool, or a fixed response
//   - else as it is: the upstream's own last response, or an error page
func (x *exchange) lastRungs(a *attempt, failed *Error) (*message.Response, *Error) {
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
	x.servedBy = nil
	x.record.Upstream = why.Upstream
}

// hide notes that a failure is kept from the client.
func (x *exchange) hide(by reason.Means, why reason.Reason) {
	x.record.Absorbed, x.record.Hidden = by, why
}

package proxy

import "net/http"

// conclude takes what the attempt loop has come to. A good answer may be kept for
// worse times; for an error there are the last rungs. RFC 5861 counts a 500 among
// those that an older response may stand in for.
func (x *exchange) conclude(res *http.Response, failed *Error) (*http.Response, *Error) {
	older := x.route.Pool.stale
	switch {
	case escapes(res, failed):
		return x.lastRungs(res, failed)
	case older == nil || failed != nil:
	case res.StatusCode == http.StatusInternalServerError:
		return x.lastRungs(res, nil)
	default:
		x.remember(older, res)
	}
	return res, failed
}

// lastRungs is the end of the ladder: what the attempt loop could not mend, by
// another upstream or by waiting, is answered in the first of these ways that
// there is, so that no gateway error reaches the client:
//
//   - by an older response that may be used so
//   - by the route's fallback: another pool, or a fixed response
//   - else as it is: the upstream's own last response, or an error page
func (x *exchange) lastRungs(res *http.Response, failed *Error) (*http.Response, *Error) {
	why := failed
	if res != nil {
		why = &Error{Reason: UpstreamStatus, Upstream: x.servedBy.Addr(), Sent: true}
	}
	var end *Error
	other := x.answerOlder(why)
	if other == nil && escapes(res, failed) {
		other, end = x.fallback(why)
	}
	if other == nil && end == nil {
		return res, failed
	}
	if res != nil {
		res.Body.Close()
	}
	return other, end
}

// escapes reports whether a client that gets this sees a gateway error.
func escapes(res *http.Response, failed *Error) bool {
	if failed != nil {
		return failed.Reason.GatewayError()
	}
	return statusReason(statusOf(res)) != None
}

// ours marks the answer as one that no upstream gives now.
func (x *exchange) ours(why *Error) {
	x.servedBy = nil
	x.record.Upstream = why.Upstream
}

// hide notes that a failure is kept from the client.
func (x *exchange) hide(by Means, why Reason) {
	x.record.Absorbed, x.record.Hidden = by, why
}

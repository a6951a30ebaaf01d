package proxy

import "net/http"

// lastRungs is the end of the ladder: what the attempt loop could not mend, by
// another upstream or by waiting, is answered in the first of these ways that
// there is, so that no gateway error reaches the client:
//
//   - by the route's fallback: another pool, or a fixed response
//   - else as it is: the upstream's own last response, or an error page
func (x *exchange) lastRungs(res *http.Response, failed *Error) (*http.Response, *Error) {
	why := failed
	if res != nil {
		why = &Error{Reason: UpstreamStatus, Upstream: x.servedBy.Addr(), Sent: true}
	}
	other, otherwise := x.fallback(why)
	switch {
	case other != nil, otherwise != why:
		if res != nil {
			res.Body.Close()
		}
		return other, otherwise
	}
	return res, failed
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

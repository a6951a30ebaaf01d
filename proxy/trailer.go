package proxy

import (
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// This file passes the trailer of a request on. Its fields are announced with
// the header, and known at the end of the body; httputil copies the request, and
// with it the trailer, before that.

// announced takes the trailer off a request that goes upstream, and returns the
// names of what of it an upstream may get. What no trailer may hold (RFC 9110
// section 6.5.1), what goodgate itself says, and what the route sets or removes
// is not passed on: applications have merged trailers into headers before.
func announced(r *http.Request, rt *Route) (names []string) {
	for name := range r.Trailer {
		if httpguts.ValidTrailerHeader(name) && !isOurs(name) && !rt.RequestHeaders.mentions(name) {
			names = append(names, name)
		}
	}
	r.Trailer = nil
	return names
}

// isOurs reports whether a field is goodgate's to set, or identifies a user, in
// any spelling that CGI and WSGI take for it.
func isOurs(name string) bool {
	plain := strings.ReplaceAll(name, "_", "-")
	switch http.CanonicalHeaderKey(plain) {
	case "Forwarded", "Via", "X-Request-Id", "Cookie", "Upgrade", "Traceparent", "Tracestate":
		return true
	}
	return isClaim(plain) || !httpguts.ValidTrailerHeader(plain)
}

// mentions reports whether the edits are about a field.
func (e *HeaderEdits) mentions(name string) bool {
	_, set := e.Set[name]
	_, added := e.Add[name]
	for _, removed := range e.Remove {
		set = set || strings.EqualFold(removed, name)
	}
	return set || added
}

// withTrailer makes the view fill in a trailer with these names at its end.
func (v *bodyView) withTrailer(names []string) *bodyView {
	if len(names) > 0 {
		v.trailer = make(http.Header, len(names))
		for _, name := range names {
			v.trailer[name] = nil
		}
	}
	return v
}

// end fills the trailer in, once the body has been read.
func (v *bodyView) end() {
	if v.trailer == nil {
		return
	}
	v.body.mu.Lock()
	defer v.body.mu.Unlock()
	for name := range v.trailer {
		v.trailer[name] = v.body.trailer[name]
	}
}

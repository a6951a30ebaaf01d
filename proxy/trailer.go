package proxy

import (
	"iter"
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// This file passes trailers on. The fields of a request's are announced with
// the header, and known at the end of the body; httputil copies the request, and
// with it the trailer, before that.

// announced takes the trailer off a request that goes upstream, and returns the
// names of what of it an upstream may get. What no trailer may hold (RFC 9110
// section 6.5.1), what goodgate itself says or believes only of some, what the
// route sets or removes, and who the client is, is not passed on in any spelling: applications have
// merged trailers into headers before.
func (x *exchange) announced(r *http.Request) (names []string) {
	for name := range r.Trailer {
		_, believed := x.proxy.trust.fields.rule(name)
		_, edited := x.route.edited.rule(name)
		_, guarded := x.route.guarded.rule(name)
		if !believed && !edited && !guarded && !headerOnly(string(fold(nil, name))) {
			names = append(names, name)
		}
	}
	r.Trailer = nil
	return names
}

// headerOnly reports whether a field, by its folded name, has no place in a
// trailer: goodgate goes by it in the header, or RFC 9110 says so.
func headerOnly(name string) bool {
	switch name {
	case "via", "goodgate-passed", "cookie", "upgrade", "traceparent", "tracestate":
		return true
	}
	return !httpguts.ValidTrailerHeader(name)
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

// clearAnnounced takes the fields out of a header that has been sent which the
// trailer, announced by these lists, may have too: servers send what they find under
// these names behind the body.
func clearAnnounced(h http.Header, announced iter.Seq[string]) {
	for list := range announced {
		for name := range strings.SplitSeq(list, ",") {
			h.Del(strings.TrimSpace(name))
		}
	}
}

// cleanTrailer takes off a response's trailer what the header may not tell the
// client: what the route sets or removes, and an upstream's word to goodgate. What
// no trailer may hold goes too.
func (x *exchange) cleanTrailer(trailer http.Header) {
	if len(trailer) == 0 {
		return
	}
	for name := range trailer {
		if name == drainHeader || name == "Upgrade" || name == "X-Request-Id" || !httpguts.ValidTrailerHeader(name) {
			delete(trailer, name)
		}
	}
	edits := &x.route.ResponseHeaders
	for _, name := range edits.Remove {
		trailer.Del(name)
	}
	for name := range edits.Set {
		trailer.Del(name)
	}
}

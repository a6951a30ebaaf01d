package proxy

import (
	"iter"
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// This file passes trailers on. The header announces the fields of a request's trailer,
// and the end of the body has their values. httputil copies the request, with the
// trailer, before that end.

// announced removes the trailer from a request for an upstream. It returns the names of
// the fields that the upstream may get. In any spelling, it leaves out fields that RFC
// 9110, section 6.5.1, does not allow in a trailer, fields that goodgate sets or trusts
// only from some peers, fields that the route edits, and fields about the client's
// identity. Some applications merge trailers into headers.
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

// headerOnly reports whether a field, given by its folded name, does not belong in a
// trailer: RFC 9110 forbids it, or goodgate uses it in the header.
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

// end fills in the trailer after the body.
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

// clearAnnounced removes fields from a header that has been sent, if the trailer
// announces the same names. Servers send fields with those names again after the body.
func clearAnnounced(h http.Header, announced iter.Seq[string]) {
	for list := range announced {
		for name := range strings.SplitSeq(list, ",") {
			h.Del(strings.TrimSpace(name))
		}
	}
}

// cleanTrailer removes fields from a response's trailer: those that the route sets or
// removes, the upstream's messages to goodgate, and those that no trailer may have.
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

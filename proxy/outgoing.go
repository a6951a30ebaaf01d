package proxy

import (
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/goodgate/goodgate/internal/wire/header"
	"github.com/goodgate/goodgate/internal/wire/http1"
)

// outgoing is what a relay has made of the request for upstreams: exactly one of
// std and plain. Nobody changes it once an attempt has been made, since that may still
// read it; see prepareLibrary for the first.
type outgoing struct {
	std      *http.Request  // by httputil's relay
	plain    *http1.Request // by the plain relay; without a body
	trailers []string       // names of the request's trailer fields that go along
}

// target returns the target as it goes upstream.
func (o *outgoing) target() string {
	if o.plain != nil {
		return o.plain.Target
	}
	return http1.Target(o.std.URL)
}

// fields returns what goes upstream as a map that is not to be changed.
func (o *outgoing) fields() http.Header {
	if o.plain != nil {
		h := o.plain.Head.Header()
		delete(h, header.Host.String())
		return h
	}
	return o.std.Header
}

// library returns the request as the library has it.
func (o *outgoing) library() *http.Request {
	if o.plain == nil {
		return o.std
	}
	p := o.plain
	u, err := url.ParseRequestURI(p.Target)
	if err != nil { // the plain relay has parsed it before
		u = &url.URL{Path: p.Target}
	}
	h := o.fields()
	if h["User-Agent"] == nil {
		h["User-Agent"] = []string{""} // else net/http sends its own
	}
	return &http.Request{
		Method: p.Method, URL: u, Host: p.Host, Header: h, ContentLength: p.ContentLength, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
}

// prepare gives an attempt its own request for one upstream.
func (d *delivery) prepare(a *attempt, l *endpoint) {
	if _, ok := l.transport.(plainTransport); d.out.plain == nil || !ok {
		d.prepareLibrary(a, l)
		return
	}
	a.plain = *d.out.plain
	if d.host == HostUpstream {
		a.plain.Host = l.host
	}
	if d.rest != nil || d.trace != nil {
		own := &header.Head{Fields: slices.Clone(a.plain.Head.Fields)}
		own.Index()
		a.plain.Head = own
		if d.rest != nil {
			d.rest.ask(own)
		}
		a.span = d.mark(own)
	}
	if d.body != nil {
		a.plain.Body = d.body.view()
	}
}

// prepareLibrary is prepare for a request of the library. That of the exchange's first
// attempt is changed in place: nobody reads it yet. Whatever comes later, be it of
// another delivery, gets a copy.
func (d *delivery) prepareLibrary(a *attempt, l *endpoint) {
	out := d.out.library()
	if a != &d.first || d.before != nil || d.out.plain != nil {
		out = new(*out)
		out.URL = new(*out.URL)
	}
	out.URL.Scheme, out.URL.Host = l.scheme, l.host
	if d.host == HostUpstream {
		out.Host = l.host
	}
	if !d.grpcEnd.IsZero() || d.rest != nil || d.trace != nil {
		out.Header = maps.Clone(out.Header)
		d.tellTime(out)
		if d.rest != nil {
			d.rest.ask(out.Header)
		}
		a.span = d.mark(out.Header)
	}
	out.Body, out.GetBody = nil, nil
	if d.body != nil {
		view := d.body.view().withTrailer(d.out.trailers)
		out.Body, out.Trailer = view, view.trailer
	}
	a.out = out
}

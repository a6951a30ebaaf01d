package proxy

import (
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/goodgate/goodgate/internal/wire/header"
	"github.com/goodgate/goodgate/internal/wire/http1"
)

// outgoing is the request that a relay has made for upstreams: exactly one of std and
// plain. It must not change after the first attempt has been made, since that one may
// still read it. prepareLibrary has an exception for the first attempt.
type outgoing struct {
	std      *http.Request  // from httputil's relay
	plain    *http1.Request // from the plain relay; without a body
	trailers []string       // names of the request's trailer fields to pass on
}

// target returns the request target for the upstream.
func (o *outgoing) target() string {
	if o.plain != nil {
		return o.plain.Target
	}
	return http1.Target(o.std.URL)
}

// fields returns the header for the upstream as a map. It must not be changed.
func (o *outgoing) fields() http.Header {
	if o.plain != nil {
		h := o.plain.Head.Header()
		delete(h, header.Host.String())
		return h
	}
	return o.std.Header
}

// library returns the request as a type of net/http.
func (o *outgoing) library() *http.Request {
	if o.plain == nil {
		return o.std
	}
	p := o.plain
	u, err := url.ParseRequestURI(p.Target)
	if err != nil { // impossible: the plain relay has parsed it
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

// prepareLibrary is prepare for a request of net/http. The first attempt of the exchange
// changes the request in place, because nobody else reads it yet. Each later attempt gets
// a copy, also in another delivery.
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

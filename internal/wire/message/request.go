// Package message is a client's request as routes, policies, limits, the log,
// metrics and traces see it, whichever server it came by: with its fields as they
// came, by inbound, or in a map, by the servers of net/http and quic-go.
package message

import (
	"context"
	"crypto/tls"
	"io"
	"iter"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"

	"github.com/goodgate/goodgate/internal/wire/header"
)

// Request is a client's request. Its fields mean what those of the same name mean
// in [http.Request]. It belongs to the request's goroutine, and nobody keeps it, or
// parts of its strings, beyond the request.
//
// The zero value is a request without fields.
type Request struct {
	Method     string
	RequestURI string // the target as it came
	URL        *url.URL
	Host       string

	Proto      string
	ProtoMajor int
	ProtoMinor int

	RemoteAddr    string
	TLS           *tls.ConnectionState // nil = in the clear
	ContentLength int64                // -1 = not known
	Body          io.ReadCloser
	Trailer       http.Header // the announced names; the values come at the end of the body
	Close         bool        // the client ends the connection after this request

	// Head has the fields as they came, the Host field among them; nil where they came
	// in a map. The methods do not show Host as a field, as a map does not have it.
	Head *header.Head

	ctx  context.Context
	std  *http.Request // nil until somebody needs one
	lent bool          // somebody has had one that HTTP has made
}

// FromHTTP returns a request that came by a server of net/http.
func FromHTTP(r *http.Request) *Request {
	return &Request{
		Method: r.Method, RequestURI: r.RequestURI, URL: r.URL, Host: r.Host,
		Proto: r.Proto, ProtoMajor: r.ProtoMajor, ProtoMinor: r.ProtoMinor,
		RemoteAddr: r.RemoteAddr, TLS: r.TLS,
		ContentLength: r.ContentLength, Body: r.Body, Trailer: r.Trailer, Close: r.Close,
		ctx: r.Context(), std: r,
	}
}

// ProtoAtLeast reports whether the request's version of HTTP is at least major.minor.
func (r *Request) ProtoAtLeast(major, minor int) bool {
	return r.ProtoMajor > major || r.ProtoMajor == major && r.ProtoMinor >= minor
}

// SetContext sets the request's context. It is for the server that makes the
// request.
func (r *Request) SetContext(ctx context.Context) { r.ctx = ctx }

// SetTrailer sets the trailer fields, also of what HTTP has returned. It is for the
// server that makes the request.
func (r *Request) SetTrailer(fields http.Header) {
	r.Trailer = fields
	if r.std != nil {
		r.std.Trailer = fields
	}
}

// Context returns the request's context.
func (r *Request) Context() context.Context { return r.ctx }

// LocalAddr returns the address that the client connected to, nil when it is not
// known.
func (r *Request) LocalAddr() net.Addr {
	a, _ := r.ctx.Value(http.LocalAddrContextKey).(net.Addr)
	return a
}

// HTTP returns the request for the library. The first call makes one where the
// request did not come by it. Its Body is the request's of now.
func (r *Request) HTTP() *http.Request {
	if r.std == nil {
		fields := http.Header{}
		if r.Head != nil {
			fields = r.Head.Header()
			delete(fields, header.Host.String())
		}
		std := &http.Request{
			Method: r.Method, RequestURI: r.RequestURI, URL: r.URL, Host: r.Host,
			Proto: r.Proto, ProtoMajor: r.ProtoMajor, ProtoMinor: r.ProtoMinor,
			Header: fields, RemoteAddr: r.RemoteAddr, TLS: r.TLS,
			ContentLength: r.ContentLength, Trailer: r.Trailer, Close: r.Close,
		}
		if r.ContentLength < 0 {
			std.TransferEncoding = []string{"chunked"}
		}
		r.std, r.lent = std.WithContext(r.ctx), true
	}
	r.std.Body = r.Body
	return r.std
}

// SetPath sets the decoded path of URL. A request of the library stays as it was for
// those who have it.
func (r *Request) SetPath(path string) {
	if r.std == nil {
		r.URL.Path = path
		return
	}
	std := new(*r.std)
	std.URL = new(*r.URL)
	std.URL.Path = path
	r.std, r.URL = std, std.URL
}

// Lent reports whether somebody has had a request of the library that shares the
// context, and may keep it beyond the request. It is for the server that made the
// request.
func (r *Request) Lent() bool { return r.lent }

// DropFields takes out the fields whose name drop reports. A request of the library
// stays as it was for those who have it.
func (r *Request) DropFields(drop func(name string) bool) {
	if r.Head != nil {
		r.Head.DeleteFunc(func(f *header.Field) bool { return f.ID != header.Host && drop(f.Name) })
		r.std = nil // the next call of HTTP makes one without them
		return
	}
	for name := range r.inMap() {
		if !drop(name) {
			continue
		}
		std := new(*r.std)
		std.Header = maps.Clone(std.Header)
		maps.DeleteFunc(std.Header, func(name string, _ []string) bool { return drop(name) })
		r.std = std
		return
	}
}

// inHead reports whether Head tells of the fields n.
func (r *Request) inHead(n header.Name) bool { return r.Head != nil && n != header.Host }

// inMap returns the fields of a request that has no Head.
func (r *Request) inMap() http.Header {
	if r.std == nil {
		return nil
	}
	return r.std.Header
}

// Get returns the value of the first field n, empty without one.
func (r *Request) Get(n header.Name) string {
	if r.inHead(n) {
		return r.Head.Get(n)
	}
	if v := r.inMap()[n.String()]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// Count returns how many fields n there are.
func (r *Request) Count(n header.Name) int {
	if r.inHead(n) {
		return r.Head.Count(n)
	}
	return len(r.inMap()[n.String()])
}

// Has reports whether there is a field n.
func (r *Request) Has(n header.Name) bool { return r.Count(n) > 0 }

// Values returns the values of the fields n.
func (r *Request) Values(n header.Name) []string {
	if !r.inHead(n) {
		return r.inMap()[n.String()]
	}
	if !r.Head.Has(n) {
		return nil
	}
	return slices.Collect(r.Head.Values(n))
}

// ValuesOf returns the values of the fields with a name in any case.
func (r *Request) ValuesOf(name string) iter.Seq[string] {
	if r.Head != nil && !header.EqualName(name, header.Host.String()) {
		return r.Head.ValuesOf(name)
	}
	return slices.Values(r.inMap()[http.CanonicalHeaderKey(name)])
}

// Field returns the value of the first field with a name in any case, empty
// without one.
func (r *Request) Field(name string) string {
	for v := range r.ValuesOf(name) {
		return v
	}
	return ""
}

// HasToken reports whether a field n, as a list, has a token in any case.
func (r *Request) HasToken(n header.Name, token string) bool {
	if r.inHead(n) {
		return r.Head.HasToken(n, token)
	}
	return slices.ContainsFunc(r.inMap()[n.String()], func(v string) bool { return header.ListHas(v, token) })
}

// Cookie returns the value of a cookie; ok is false without one.
func (r *Request) Cookie(name string) (value string, ok bool) {
	if !r.Has(header.Cookie) {
		return "", false
	}
	c, err := r.alone(header.Cookie).Cookie(name)
	if err != nil {
		return "", false
	}
	return c.Value, true
}

// CookieValues returns the values of all cookies with a name.
func (r *Request) CookieValues(name string) (values []string) {
	if !r.Has(header.Cookie) {
		return nil
	}
	for _, c := range r.alone(header.Cookie).CookiesNamed(name) {
		values = append(values, c.Value)
	}
	return values
}

// BasicAuth returns the user's name and password of the Authorization field (RFC
// 7617); ok is false without them.
func (r *Request) BasicAuth() (user, password string, ok bool) {
	if !r.Has(header.Authorization) {
		return "", "", false
	}
	return r.alone(header.Authorization).BasicAuth()
}

// alone returns a request of the library that has only the fields n, for its
// parsers.
func (r *Request) alone(n header.Name) *http.Request {
	return &http.Request{Header: http.Header{n.String(): r.Values(n)}}
}

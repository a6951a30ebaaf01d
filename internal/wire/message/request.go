// Package message is the view of a client's request and an upstream's answer that routes,
// policies, limits, the log, metrics and traces share. The view is the same for every
// server: inbound keeps the fields as sent ([header.Head]); the servers of net/http and
// quic-go keep them in a map.
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
	"strings"

	"github.com/goodgate/goodgate/internal/wire/header"
)

// Request is a client's request. Its fields mean the same as in [http.Request]. It
// belongs to the request's goroutine. No code may keep it, or parts of its strings,
// longer than the request.
//
// The zero value is a request without fields.
type Request struct {
	Method     string
	RequestURI string // the target as sent
	URL        *url.URL
	Host       string

	Proto      string
	ProtoMajor int
	ProtoMinor int

	RemoteAddr    string
	TLS           *tls.ConnectionState // nil = without TLS
	ContentLength int64                // -1 = unknown
	Body          io.ReadCloser
	Trailer       http.Header // the announced names; the values are set at the end of the body
	Close         bool        // the client closes the connection after this request

	// Head has the fields as sent, with Host; nil if they came in a map. A map does not
	// contain Host, so the methods for a [header.Name] do not return it. Those for any name
	// return the field Host above.
	Head *header.Head

	ctx  context.Context
	std  *http.Request // nil until HTTP makes one
	lent bool          // HTTP has made and returned one
}

// FromHTTP returns a request from a server of net/http or quic-go. It trims the values of
// HTTP/2 and HTTP/3 fields: these servers accept spaces around a value, although RFC 9113,
// section 8.2.1, forbids them, and an application behind HTTP/1.1 gets the value without
// them.
func FromHTTP(r *http.Request) *Request {
	if r.ProtoMajor >= 2 {
		trimValues(r.Header)
	}
	return &Request{
		Method: r.Method, RequestURI: r.RequestURI, URL: r.URL, Host: r.Host,
		Proto: r.Proto, ProtoMajor: r.ProtoMajor, ProtoMinor: r.ProtoMinor,
		RemoteAddr: r.RemoteAddr, TLS: r.TLS,
		ContentLength: r.ContentLength, Body: r.Body, Trailer: r.Trailer, Close: r.Close,
		ctx: r.Context(), std: r,
	}
}

func trimValues(h http.Header) {
	for _, values := range h {
		for i, v := range values {
			if v != "" && (isSpace(v[0]) || isSpace(v[len(v)-1])) {
				values[i] = trimSpace(v)
			}
		}
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' }

// ProtoAtLeast reports whether the request's HTTP version is at least major.minor.
func (r *Request) ProtoAtLeast(major, minor int) bool {
	return r.ProtoMajor > major || r.ProtoMajor == major && r.ProtoMinor >= minor
}

// SetContext sets the request's context. It is for the server that makes the request.
func (r *Request) SetContext(ctx context.Context) { r.ctx = ctx }

// SetTrailer sets the trailer fields, and those of the request that HTTP has returned. It
// is for the server that makes the request.
func (r *Request) SetTrailer(fields http.Header) {
	r.Trailer = fields
	if r.std != nil {
		r.std.Trailer = fields
	}
}

// Context returns the request's context.
func (r *Request) Context() context.Context { return r.ctx }

// LocalAddr returns the address that the client connected to; nil if unknown.
func (r *Request) LocalAddr() net.Addr {
	a, _ := r.ctx.Value(http.LocalAddrContextKey).(net.Addr)
	return a
}

// HTTP returns the request as one of net/http. The first call makes it, unless the
// request came from net/http. Each call sets its Body to the current one.
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

// SetPath sets the decoded path of URL. It does not modify a request that HTTP has
// returned before.
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

// Lent reports whether HTTP has made and returned a request that shares the context and
// may outlive the request. It is for the server that made the request.
func (r *Request) Lent() bool { return r.lent }

// DropFields removes the fields whose names drop reports. It does not modify a request
// that HTTP has returned before.
func (r *Request) DropFields(drop func(name string) bool) {
	if r.Head != nil {
		r.Head.DeleteFunc(func(f *header.Field) bool { return f.ID != header.Host && drop(f.Name) })
		r.std = nil // the next call of HTTP makes a new one
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

// AddField adds a field. It does not modify a request that HTTP has returned before.
func (r *Request) AddField(name, value string) {
	if r.Head != nil {
		r.Head.Add(name, value)
		r.std = nil // the next call of HTTP makes a new one
		return
	}
	std := new(*r.HTTP())
	std.Header = maps.Clone(std.Header)
	name = http.CanonicalHeaderKey(name)
	std.Header[name] = append(slices.Clip(std.Header[name]), value)
	r.std = std
}

// inHead reports whether Head has the fields n.
func (r *Request) inHead(n header.Name) bool { return r.Head != nil && n != header.Host }

// inMap returns the fields of a request without a Head.
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

// Count returns the number of fields n.
func (r *Request) Count(n header.Name) int {
	if r.inHead(n) {
		return r.Head.Count(n)
	}
	return len(r.inMap()[n.String()])
}

// Has reports whether the request has a field n.
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

// ValuesOf returns the values of the fields called name, in any case.
func (r *Request) ValuesOf(name string) iter.Seq[string] {
	switch {
	case header.EqualName(name, header.Host.String()):
		return func(yield func(string) bool) {
			if r.Host != "" {
				yield(r.Host)
			}
		}
	case r.Head != nil:
		return r.Head.ValuesOf(name)
	}
	return slices.Values(r.inMap()[http.CanonicalHeaderKey(name)])
}

// Field returns the value of the first field called name, in any case; empty without one.
func (r *Request) Field(name string) string {
	for v := range r.ValuesOf(name) {
		return v
	}
	return ""
}

// HasToken reports whether a field n, as a list, contains token in any case.
func (r *Request) HasToken(n header.Name, token string) bool {
	if r.inHead(n) {
		return r.Head.HasToken(n, token)
	}
	return slices.ContainsFunc(r.inMap()[n.String()], func(v string) bool { return header.ListHas(v, token) })
}

// Cookie returns the first value of a cookie; ok is false without one.
func (r *Request) Cookie(name string) (value string, ok bool) {
	for v := range r.CookieValues(name) {
		return v, true
	}
	return "", false
}

// CookieValues returns the values of all cookies with a name, without the quotes around a
// value. It finds every cookie that an application may find. net/http's parser does not: it
// ignores values with a quote, a backslash or a byte beyond ASCII, and all cookies of a
// request with more than 3000.
func (r *Request) CookieValues(name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if !r.Has(header.Cookie) {
			return
		}
		for _, line := range r.Values(header.Cookie) {
			for part := range strings.SplitSeq(line, ";") {
				key, value, _ := strings.Cut(part, "=")
				if trimSpace(key) == name && trimSpace(part) != "" && !yield(unquoted(trimSpace(value))) {
					return
				}
			}
		}
	}
}

func trimSpace(s string) string { return strings.Trim(s, " \t") }

// unquoted returns a cookie's value without the quotes around it (RFC 6265, section 4.1.1).
func unquoted(value string) string {
	if n := len(value); n > 1 && value[0] == '"' && value[n-1] == '"' {
		return value[1 : n-1]
	}
	return value
}

// BasicAuth returns the user and the password of the Authorization field (RFC 7617); ok
// is false without them.
func (r *Request) BasicAuth() (user, password string, ok bool) {
	if !r.Has(header.Authorization) {
		return "", "", false
	}
	return r.alone(header.Authorization).BasicAuth()
}

// ProtocolField is the name under which net/http's servers pass on the pseudo-header field
// :protocol of HTTP/2. No field of a client can have it.
const ProtocolField = ":protocol"

// ConnectProtocol returns the :protocol of an extended CONNECT (RFC 8441); empty without
// one.
func (r *Request) ConnectProtocol() string {
	if r.ProtoMajor < 2 {
		return ""
	}
	return strings.Join(r.inMap()[ProtocolField], ",")
}

// alone returns a request of net/http with only the fields n, for the parsers there.
func (r *Request) alone(n header.Name) *http.Request {
	return &http.Request{Header: http.Header{n.String(): r.Values(n)}}
}

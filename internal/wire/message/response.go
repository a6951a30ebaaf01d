package message

import (
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/goodgate/goodgate/internal/wire/header"
)

// Response is an upstream's answer, with its fields as sent or in a map. Its fields mean
// the same as in [http.Response]. It belongs to the request's goroutine.
type Response struct {
	StatusCode    int
	Reason        string // reason phrase as sent
	ProtoMajor    int
	ProtoMinor    int
	ContentLength int64 // -1 = unknown
	Close         bool  // the upstream closes the connection after this answer
	Body          io.ReadCloser
	Trailer       http.Header // only of an answer with a Head; see Trailers

	// Head has the fields as sent; nil if they came in a map.
	Head *header.Head

	std *http.Response // nil until HTTP makes one
}

// SetHTTP makes r an answer from net/http.
func (r *Response) SetHTTP(std *http.Response) {
	*r = Response{
		StatusCode: std.StatusCode, Reason: phrase(std), ProtoMajor: std.ProtoMajor, ProtoMinor: std.ProtoMinor,
		ContentLength: std.ContentLength, Close: std.Close, Body: std.Body, std: std,
	}
}

// phrase returns the reason phrase.
func phrase(std *http.Response) string {
	_, reason, _ := strings.Cut(std.Status, " ")
	return reason
}

// Trailers returns the trailer. Until the end of the body it has only the announced
// names.
func (r *Response) Trailers() http.Header {
	if r.std != nil {
		return r.std.Trailer
	}
	return r.Trailer
}

// SetTrailer sets a field of the trailer. Call it before the end of the body is read.
func (r *Response) SetTrailer(name, value string) {
	trailer := &r.Trailer
	if r.std != nil {
		trailer = &r.std.Trailer
	}
	if *trailer == nil {
		*trailer = http.Header{}
	}
	trailer.Set(name, value)
}

// HTTP returns the answer as one of net/http, to the request to. The first call makes it,
// unless the answer came from net/http. After that Head is nil, and the map has the
// fields.
func (r *Response) HTTP(to *http.Request) *http.Response {
	if r.std == nil {
		r.std = &http.Response{
			Status: strconv.Itoa(r.StatusCode) + " " + r.Reason, Proto: "HTTP/1." + strconv.Itoa(r.ProtoMinor), Header: r.Head.Header(), Trailer: r.Trailer,
		}
		r.Head = nil
	}
	std := r.std
	std.StatusCode, std.ProtoMajor, std.ProtoMinor = r.StatusCode, r.ProtoMajor, r.ProtoMinor
	std.ContentLength, std.Close, std.Body, std.Request = r.ContentLength, r.Close, r.Body, to
	return std
}

// Get returns the value of the first field n, empty without one.
func (r *Response) Get(n header.Name) string {
	if r.Head != nil {
		return r.Head.Get(n)
	}
	if v := r.std.Header[n.String()]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// Count returns the number of fields n.
func (r *Response) Count(n header.Name) int {
	if r.Head != nil {
		return r.Head.Count(n)
	}
	return len(r.std.Header[n.String()])
}

// Has reports whether the answer has a field n.
func (r *Response) Has(n header.Name) bool { return r.Count(n) > 0 }

// Values returns the values of the fields n.
func (r *Response) Values(n header.Name) []string {
	if r.Head == nil {
		return r.std.Header[n.String()]
	}
	if !r.Head.Has(n) {
		return nil
	}
	return slices.Collect(r.Head.Values(n))
}

// Field returns the value of the first field called name, in any case; empty without one.
func (r *Response) Field(name string) string {
	if r.Head == nil {
		return r.std.Header.Get(name)
	}
	for v := range r.Head.ValuesOf(name) {
		return v
	}
	return ""
}

// Only returns the value of the field n if there is exactly one, else "": readers differ
// about which one of several counts.
func (r *Response) Only(n header.Name) string {
	if r.Count(n) != 1 {
		return ""
	}
	return r.Get(n)
}

// ProtoAtLeast reports whether the answer's HTTP version is at least major.minor.
func (r *Response) ProtoAtLeast(major, minor int) bool {
	return r.ProtoMajor > major || r.ProtoMajor == major && r.ProtoMinor >= minor
}

// HasToken reports whether a field n, as a list, contains token in any case.
func (r *Response) HasToken(n header.Name, token string) bool {
	if r.Head != nil {
		return r.Head.HasToken(n, token)
	}
	return slices.ContainsFunc(r.std.Header[n.String()], func(v string) bool { return header.ListHas(v, token) })
}

// Delete removes the fields n.
func (r *Response) Delete(n header.Name) {
	if r.Head != nil {
		r.Head.Delete(n)
		return
	}
	delete(r.std.Header, n.String())
}

// Fields returns the fields as a map. If the answer has a Head, the map is new.
func (r *Response) Fields() http.Header {
	if r.Head != nil {
		return r.Head.Header()
	}
	return r.std.Header
}

// Editor changes the fields of a message. [header.Head] and [http.Header] implement it.
type Editor interface {
	Add(name, value string)
	Set(name, value string)
	Del(name string)
}

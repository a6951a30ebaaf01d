package http1

import (
	"errors"
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"

	"github.com/goodgate/goodgate/internal/wire/header"
)

// Request is a request as it goes on the wire.
type Request struct {
	Method string // empty = GET
	Target string // of the request line, as it is written
	Host   string // written in the place where Head has a Host, else first

	// Head has the fields, in order; nil = none. It is not changed. The fields that
	// say how the body is framed are not written from it, but from what is known of
	// the body: a Content-Length in the place where Head has one, else behind all
	// fields. Those that are for one connection alone are written as they are.
	Head *header.Head

	Body          io.ReadCloser // nil = none; may be [Buffered]
	ContentLength int64         // of Body; -1 = not known, which makes it chunked
	Trailer       http.Header   // the names are announced; the values are read at the end of Body
	Close         bool          // the upstream is asked to close the connection afterwards
}

// requestOf returns a request of the library as it goes on the wire. Its fields are
// in x until a response header comes.
func (x *Call) requestOf(r *http.Request) (Request, error) {
	q := Request{Method: r.Method, Host: r.Host, Trailer: r.Trailer, Close: r.Close}
	if r.Body != nil && r.Body != http.NoBody {
		q.Body = r.Body
	}
	if r.URL == nil {
		return q, errors.New("no URL")
	}
	q.Target = Target(r.URL)
	if q.Host == "" {
		q.Host = r.URL.Host
	}
	q.Head = x.emptyHead()
	appendMap(q.Head, r.Header)
	q.ContentLength = lengthOf(r, q.Body)
	return q, nil
}

// lengthOf returns the length of a request's body: 0 beside one means unknown.
func lengthOf(r *http.Request, body io.ReadCloser) int64 {
	switch {
	case body == nil:
		return r.ContentLength
	case slices.Contains(r.TransferEncoding, "chunked"):
		return -1
	case r.ContentLength > 0:
		return r.ContentLength
	}
	if b, ok := body.(Buffered); ok {
		if rest, ok := b.Buffered(); ok {
			return int64(len(rest))
		}
	}
	return -1
}

// appendMap adds the fields of a map, but for those that are written from what is
// known of the request. Fields of different names may come in any order (RFC 9110,
// section 5.3).
func appendMap(h *header.Head, fields http.Header) {
	for name, values := range fields {
		switch name {
		case "Content-Length", "Host", "Trailer", "Transfer-Encoding":
			continue
		case "User-Agent": // of which net/http sends the first, and none that is empty
			values = values[:min(len(values), 1)]
			if len(values) == 1 && strings.TrimSpace(values[0]) == "" {
				continue
			}
		}
		for _, v := range values {
			h.Add(name, textproto.TrimString(v))
		}
	}
}

// Target is RequestURI, but keeps a path as it was spelled. net/url spells
// one anew that has a byte in it which should have been encoded, with all encoded
// slashes decoded.
func Target(u *url.URL) string {
	if !SpelledOddly(u) {
		return u.RequestURI()
	}
	if u.ForceQuery || u.RawQuery != "" {
		return u.RawPath + "?" + u.RawQuery
	}
	return u.RawPath
}

// SpelledOddly reports whether the path's own spelling is one that RequestURI does
// not keep.
func SpelledOddly(u *url.URL) bool {
	if u.RawPath == "" || u.Opaque != "" || u.EscapedPath() == u.RawPath {
		return false
	}
	path, err := url.PathUnescape(u.RawPath)
	return err == nil && path == u.Path
}

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
	Target string // target in the request line, written unchanged
	Host   string // written in the place of Head's Host field, else first

	// Head has the fields, in order; nil = none. It is not modified. The fields about
	// framing are written from the facts about the body, not from Head: Content-Length in
	// the place of Head's, else after all fields. Hop-by-hop fields are written
	// unchanged.
	Head *header.Head

	Body          io.ReadCloser // nil = none; may be [Buffered]
	ContentLength int64         // length of Body; -1 = unknown: it is sent chunked
	Trailer       http.Header   // the names are announced; the values are read at the end of Body
	Close         bool          // ask the upstream to close the connection afterwards
}

// requestOf converts a request of net/http. Its fields are in x until a response header
// comes.
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

// lengthOf returns the length of a request's body. ContentLength 0 with a body means
// unknown.
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

// appendMap adds the fields of a map, except those that come from other facts about the
// request. Fields with different names may be in any order (RFC 9110, section 5.3).
func appendMap(h *header.Head, fields http.Header) {
	for name, values := range fields {
		switch name {
		case "Content-Length", "Host", "Trailer", "Transfer-Encoding":
			continue
		case "User-Agent": // net/http sends only the first one, and no empty one
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

// Target is RequestURI, but keeps the spelling of the path. If the path has a byte that
// should be encoded, net/url encodes the path again, and decodes all encoded slashes.
func Target(u *url.URL) string {
	if !SpelledOddly(u) {
		return u.RequestURI()
	}
	if u.ForceQuery || u.RawQuery != "" {
		return u.RawPath + "?" + u.RawQuery
	}
	return u.RawPath
}

// SpelledOddly reports whether RequestURI would change the path's spelling.
func SpelledOddly(u *url.URL) bool {
	if u.RawPath == "" || u.Opaque != "" || u.EscapedPath() == u.RawPath {
		return false
	}
	path, err := url.PathUnescape(u.RawPath)
	return err == nil && path == u.Path
}

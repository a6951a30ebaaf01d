package stale

import (
	"net/http"
	"strconv"
	"strings"
)

// Part is the bytes of a body from From to To, inclusive.
type Part struct{ From, To int64 }

// oneRange returns the requested part of a body if the request has exactly one
// satisfiable range (RFC 9110 section 14.1.2).
func oneRange(request http.Header, size int64) (Part, bool) {
	if len(request["Range"]) != 1 || len(request["If-Range"]) > 0 {
		return Part{}, false
	}
	text, ok := strings.CutPrefix(request["Range"][0], "bytes=")
	first, last, cut := strings.Cut(text, "-")
	if !ok || !cut || strings.Trim(first+last, "0123456789") != "" || len(first) > 18 || len(last) > 18 {
		return Part{}, false
	}
	from, _ := strconv.ParseInt(first, 10, 64)
	to, err := strconv.ParseInt(last, 10, 64)
	switch {
	case first == "" && err != nil:
		return Part{}, false
	case first == "": // a suffix length
		from, to = max(size-to, 0), size-1
	case err != nil || to >= size:
		to = size - 1
	}
	return Part{from, to}, from <= to && from < size
}

// Part returns the requested part of a response; all means that the request is for the
// whole.
func (r *Response) Part(request http.Header) (part Part, all bool) {
	part, ok := oneRange(request, int64(len(r.Body)))
	return part, !ok
}

// ranged reports whether a response can answer a request for a part of it.
func (r *Response) ranged(k Key, request http.Header) bool {
	if r == nil || k.Method != http.MethodGet || r.Status != http.StatusOK {
		return false
	}
	_, ok := oneRange(request, int64(len(r.Body)))
	return ok
}

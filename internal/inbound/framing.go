package inbound

import (
	"fmt"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// frame finds out how the body of a request is framed (RFC 9112, section 6). It
// sets the length, -1 for the chunked coding, and whether the connection is to be
// closed. What others on the way could read in another way is refused.
func frame(r *http.Request) error {
	r.Close = wantsClose(r)
	codings, coded := r.Header["Transfer-Encoding"]
	lengths, sized := r.Header["Content-Length"]
	switch {
	case coded && !isChunked(codings):
		return &requestError{http.StatusNotImplemented, fmt.Errorf("the transfer coding %.100q", codings)}
	case coded && sized:
		return malformed("Content-Length beside Transfer-Encoding")
	case coded && r.ProtoMinor == 0:
		return malformed("Transfer-Encoding in HTTP/1.0")
	case coded:
		return frameChunked(r)
	case sized:
		return frameLength(r, lengths)
	}
	return nil
}

func isChunked(codings []string) bool {
	return len(codings) == 1 && len(codings[0]) == len("chunked") && strings.EqualFold(codings[0], "chunked")
}

func frameChunked(r *http.Request) error {
	delete(r.Header, "Transfer-Encoding")
	r.TransferEncoding = []string{"chunked"}
	r.ContentLength = -1
	return announceTrailers(r)
}

// announceTrailers moves the names in the Trailer field to the request's map.
func announceTrailers(r *http.Request) error {
	lines, ok := r.Header["Trailer"]
	if !ok {
		return nil
	}
	delete(r.Header, "Trailer")
	for _, line := range lines {
		for name := range strings.SplitSeq(line, ",") {
			key := textproto.CanonicalMIMEHeaderKey(strings.Trim(name, " \t"))
			switch key {
			case "":
				continue
			case "Transfer-Encoding", "Trailer", "Content-Length":
				return malformed("the trailer field %q", key)
			}
			if !httpguts.ValidTrailerHeader(key) || !httpguts.ValidHeaderFieldName(key) {
				continue // it is not to come there
			}
			if r.Trailer == nil {
				r.Trailer = http.Header{}
			}
			r.Trailer[key] = nil
		}
	}
	return nil
}

func frameLength(r *http.Request, lengths []string) error {
	for _, l := range lengths[1:] {
		if l != lengths[0] {
			return malformed("Content-Length of %.20q and %.20q", lengths[0], l)
		}
	}
	n, err := strconv.ParseUint(lengths[0], 10, 63)
	if err != nil {
		return malformed("Content-Length of %.100q", lengths[0])
	}
	if len(lengths) > 1 {
		r.Header["Content-Length"] = lengths[:1]
	}
	r.ContentLength = int64(n)
	return nil
}

// wantsClose reports whether the client wants the connection closed.
func wantsClose(r *http.Request) bool {
	connection := r.Header["Connection"]
	if len(connection) > 0 && httpguts.HeaderValuesContainsToken(connection, "close") {
		return true
	}
	return r.ProtoMinor == 0 && !httpguts.HeaderValuesContainsToken(connection, "keep-alive")
}

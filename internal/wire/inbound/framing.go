package inbound

import (
	"fmt"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/goodgate/goodgate/internal/wire/header"
	"github.com/goodgate/goodgate/internal/wire/message"
)

// frame determines the framing of a request's body (RFC 9112, section 6). It sets the
// length, -1 for the chunked coding, and whether the connection closes after the
// request. It refuses framing that another program could read differently.
func frame(r *message.Request) error {
	r.Close = wantsClose(r)
	coded, sized := r.Has(header.TransferEncoding), r.Has(header.ContentLength)
	switch {
	case coded && !isChunked(r):
		return &requestError{http.StatusNotImplemented, fmt.Errorf("the transfer coding %.100q", r.Values(header.TransferEncoding))}
	case coded && sized:
		return malformed("Content-Length beside Transfer-Encoding")
	case coded && r.ProtoMinor == 0:
		return malformed("Transfer-Encoding in HTTP/1.0")
	case coded:
		return frameChunked(r)
	case sized:
		return frameLength(r)
	}
	return nil
}

func isChunked(r *message.Request) bool {
	return r.Count(header.TransferEncoding) == 1 && header.EqualName(r.Get(header.TransferEncoding), "chunked")
}

func frameChunked(r *message.Request) error {
	r.Head.Delete(header.TransferEncoding)
	r.ContentLength = -1
	return announceTrailers(r)
}

// announceTrailers moves the names in the Trailer field to the request's map.
func announceTrailers(r *message.Request) error {
	for _, line := range r.Values(header.Trailer) {
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
	r.Head.Delete(header.Trailer)
	return nil
}

func frameLength(r *message.Request) error {
	length := r.Get(header.ContentLength)
	if r.Count(header.ContentLength) > 1 {
		for _, l := range r.Values(header.ContentLength) {
			if l != length {
				return malformed("Content-Length of %.20q and %.20q", length, l)
			}
		}
		r.Head.Set(header.ContentLength.String(), length)
	}
	n, err := strconv.ParseUint(length, 10, 63)
	if err != nil {
		return malformed("Content-Length of %.100q", length)
	}
	r.ContentLength = int64(n)
	return nil
}

// wantsClose reports whether the client wants the connection closed.
func wantsClose(r *message.Request) bool {
	if r.HasToken(header.Connection, "close") {
		return true
	}
	return r.ProtoMinor == 0 && !r.HasToken(header.Connection, "keep-alive")
}

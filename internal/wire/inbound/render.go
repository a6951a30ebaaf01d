package inbound

import (
	"cmp"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/goodgate/goodgate/internal/wire/header"
)

// appendStatus writes the first line; an empty reason is the standard phrase.
func appendStatus(out []byte, minor, status int, reason string) []byte {
	out = append(out, "HTTP/1."...)
	out = strconv.AppendInt(out, int64(minor), 10)
	out = append(out, ' ')
	out = strconv.AppendInt(out, int64(status), 10)
	out = append(out, ' ')
	if reason = cmp.Or(reason, http.StatusText(status)); reason != "" {
		out = appendValue(out, reason)
	} else {
		out = append(out, "status code "...)
		out = strconv.AppendInt(out, int64(status), 10)
	}
	return append(out, "\r\n"...)
}

// appendHead writes the fields of a head in their order.
func (w *response) appendHead(out []byte, h *header.Head) []byte {
	for i := range h.Fields {
		f := &h.Fields[i]
		switch {
		case f.ID == header.ContentLength:
			if !w.hasLength() || w.sized {
				continue
			}
			w.sized = true
			out = appendLength(out, f.Name, w.length)
			continue
		case f.ID == header.Date:
			w.dated = true
		case f.ID == header.Other:
			if !httpguts.ValidHeaderFieldName(f.Name) {
				continue
			}
		case w.leaveOut(f.ID.String()):
			continue
		}
		out = appendField(out, f.Name, f.Value)
	}
	return out
}

// appendFields writes the fields of a header in no particular order. It leaves out those
// that skip reports (nil = none), and those with an invalid name.
func appendFields(out []byte, header http.Header, skip func(name string) bool) []byte {
	for name, values := range header {
		if len(values) == 0 || skip != nil && skip(name) || !httpguts.ValidHeaderFieldName(name) {
			continue
		}
		for _, v := range values {
			out = appendField(out, name, v)
		}
	}
	return out
}

// appendLength writes a length in its only unambiguous spelling: readers differ on
// others, for example 05.
func appendLength(out []byte, name string, n int64) []byte {
	out = append(out, name...)
	out = append(out, ": "...)
	out = strconv.AppendInt(out, n, 10)
	return append(out, "\r\n"...)
}

func appendField(out []byte, name, value string) []byte {
	out = append(out, name...)
	out = append(out, ": "...)
	return append(appendValue(out, value), "\r\n"...)
}

// appendValue writes a value, with a space in place of each CR and LF.
func appendValue(out []byte, v string) []byte {
	from := len(out)
	out = append(out, strings.Trim(v, " \t")...)
	if strings.ContainsAny(v, "\r\n") {
		for i := from; i < len(out); i++ {
			if out[i] == '\r' || out[i] == '\n' {
				out[i] = ' '
			}
		}
	}
	return out
}

// closes reports whether the Connection field has close.
func closes(connection []string) bool {
	return len(connection) > 0 && httpguts.HeaderValuesContainsToken(connection, "close")
}

func isTrailer(name string) bool { return strings.HasPrefix(name, http.TrailerPrefix) }

// announceTrailers returns the trailer fields that the header announces.
func (w *response) announceTrailers(h *header.Head) {
	if w.request.ProtoMinor == 0 {
		return
	}
	for line := range h.Values(header.Trailer) {
		w.announce(line)
	}
	for _, line := range w.header["Trailer"] {
		w.announce(line)
	}
}

func (w *response) announce(line string) {
	for name := range strings.SplitSeq(line, ",") {
		key := textproto.CanonicalMIMEHeaderKey(strings.Trim(name, " \t"))
		if key != "" && httpguts.ValidTrailerHeader(key) && !slices.Contains(w.trailers, key) {
			w.trailers = append(w.trailers, key)
		}
	}
}

// prefixedTrailers returns the trailer fields that the header has under
// http.TrailerPrefix.
func (w *response) prefixedTrailers() (names []string) {
	if w.bodiless || w.request.ProtoMinor == 0 {
		return nil
	}
	for name := range w.header {
		if isTrailer(name) {
			names = append(names, name)
		}
	}
	return names
}

// writeEnd writes the last chunk and the trailer fields.
func (w *response) writeEnd() {
	out := append(w.c.out, "0\r\n"...)
	for name, values := range w.header {
		key := strings.TrimPrefix(name, http.TrailerPrefix)
		if key == name && !slices.Contains(w.trailers, name) || !httpguts.ValidHeaderFieldName(key) || !httpguts.ValidTrailerHeader(key) {
			continue
		}
		for _, v := range values {
			out = appendField(out, key, v)
		}
	}
	w.c.out = append(out, "\r\n"...)
}

// Package header reads the header of an HTTP/1.1 message: one string for all of
// its lines, and one array for the values of its fields, which are parts of it.
//
// It knows the form that RFC 9112 asks for and nothing that it allows to be
// lenient about; what of that is let pass is for callers to decide. Its
// functions keep nothing and are safe for concurrent use.
package header

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// ErrFolded tells of a field that goes on in a second line (RFC 9112, section 5.2).
var ErrFolded = errors.New("a header field that is folded onto a second line")

// End returns the length of the lines at the beginning of b up to and with the
// first empty one that is not the very first, -1 when that is not there. The
// first seen bytes have been looked through before.
func End(b []byte, seen int) int {
	at := max(seen-2, 0)
	for {
		i := bytes.IndexByte(b[at:], '\n')
		if i < 0 {
			return -1
		}
		at += i + 1
		switch rest := b[at:]; {
		case len(rest) > 0 && rest[0] == '\n':
			return at + 1
		case len(rest) > 1 && rest[0] == '\r' && rest[1] == '\n':
			return at + 2
		}
	}
}

// CutLine cuts the first line off, without its end.
func CutLine(s string) (line, rest string) {
	before, after, ok := strings.Cut(s, "\n")
	if !ok {
		return "", ""
	}
	return strings.TrimSuffix(before, "\r"), after
}

// Parse reads the fields of lines up to the empty one. It refuses what is not of
// the form of RFC 9110, section 5, with an error that names no value, which may
// be a secret.
func Parse(lines string) (http.Header, error) {
	n := max(strings.Count(lines, "\n")-1, 0)
	header, values := make(http.Header, n), make([]string, n)
	at := 0
	for {
		var line string
		line, lines = CutLine(lines)
		at++
		if line == "" {
			return header, nil
		}
		if line[0] == ' ' || line[0] == '\t' {
			return nil, ErrFolded
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || !httpguts.ValidHeaderFieldName(name) {
			return nil, fmt.Errorf("the name of the header field in line %d", at) // which may hold a secret
		}
		value = strings.Trim(value, " \t")
		if !httpguts.ValidHeaderFieldValue(value) {
			return nil, fmt.Errorf("the value of the header field %.100q", name) // which may be one
		}
		key := textproto.CanonicalMIMEHeaderKey(name)
		if have, ok := header[key]; ok {
			header[key] = append(have, value)
			continue
		}
		values[0] = value
		header[key], values = values[:1:1], values[1:]
	}
}

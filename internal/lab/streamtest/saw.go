package streamtest

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// SawField is the response field in which a server describes the request that it has
// read.
const SawField = "X-Saw"

// authority matches the part of a target that a server may drop. nginx drops it for
// every scheme, and treats an empty path as /. The proxy itself serves only http and
// https.
var authority = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*`)

// Tell answers a request with a description of it. It does not answer a request with an
// incomplete body.
func Tell(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	saw := fmt.Sprintf("%s %s %s", r.Method, hex.EncodeToString([]byte(cmp.Or(authority.ReplaceAllString(r.RequestURI, ""), "/"))), hex.EncodeToString(body))
	if sum := r.Trailer["X-Sum"]; len(sum) > 0 {
		saw += " " + strings.Join(sum, ", ")
	}
	w.Header()[SawField] = []string{saw}
	w.WriteHeader(http.StatusNoContent)
}

// Saw returns the descriptions in a server's output.
func Saw(output string) (list []string) {
	for line := range strings.SplitSeq(output, "\r\n") {
		if name, value, ok := strings.Cut(line, ": "); ok && strings.EqualFold(name, SawField) {
			list = append(list, strings.TrimSpace(value))
		}
	}
	return list
}

// WithoutTrailers returns the descriptions without trailers, for servers that drop
// them.
func WithoutTrailers(list []string) (out []string) {
	for _, saw := range list {
		parts := strings.SplitN(saw, " ", 4)
		out = append(out, strings.TrimSpace(strings.Join(parts[:min(3, len(parts))], " ")))
	}
	return out
}

// Agree reports whether one of two lists is a prefix of the other: both servers have
// read the same, until one has rejected the rest.
func Agree(a, b []string) bool {
	n := min(len(a), len(b))
	return slices.Equal(a[:n], b[:n])
}

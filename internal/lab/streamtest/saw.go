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

// SawField is the field of an answer in which a server tells what it has read.
const SawField = "X-Saw"

// authority is what a server may leave out of a target: nginx does, whatever the
// scheme; an empty path is / to it. That goodgate serves http and https alone is the
// proxy's rule.
var authority = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*`)

// Tell answers a request with what was read of it. One whose body is not whole is
// not answered.
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

// Saw returns what the answers in a server's output tell.
func Saw(output string) (list []string) {
	for line := range strings.SplitSeq(output, "\r\n") {
		if name, value, ok := strings.Cut(line, ": "); ok && strings.EqualFold(name, SawField) {
			list = append(list, strings.TrimSpace(value))
		}
	}
	return list
}

// WithoutTrailers returns what servers have read that pass no trailers on.
func WithoutTrailers(list []string) (out []string) {
	for _, saw := range list {
		parts := strings.SplitN(saw, " ", 4)
		out = append(out, strings.TrimSpace(strings.Join(parts[:min(3, len(parts))], " ")))
	}
	return out
}

// Agree reports whether one of two lists begins with the other: both readers have
// read the same, until one has refused to go on.
func Agree(a, b []string) bool {
	n := min(len(a), len(b))
	return slices.Equal(a[:n], b[:n])
}

package proxy

import (
	"net/http"
	"regexp"
	"strings"

	"github.com/goodgate/goodgate/internal/wire/message"
)

// HeaderReplace replaces each match of an expression in the values of a header. A value
// that becomes empty is removed.
type HeaderReplace struct {
	Name   string
	Regexp *regexp.Regexp
	To     string // $1 or ${name} is a matched group
}

func (e *HeaderReplace) apply(h message.Editor) {
	var values []string
	changed := false
	for _, v := range valuesOf(h, http.CanonicalHeaderKey(e.Name)) {
		to := strings.TrimSpace(e.Regexp.ReplaceAllString(v, e.To))
		changed = changed || to != v
		if to != "" || v == "" {
			values = append(values, to)
		}
	}
	if !changed {
		return
	}
	h.Del(e.Name)
	for _, v := range values {
		h.Add(e.Name, v)
	}
}

package convert

import (
	"slices"
	"strings"

	"github.com/goodgate/goodgate/internal/advice/haproxy"
)

// condition adds what a line's "if" asks for to a route. It returns false, with
// a note, when a route cannot ask for it.
func (h *fromHAProxy) condition(s *haproxy.Section, l haproxy.Line, r *route) bool {
	if l.Has("unless") {
		h.note(l.At(), strings.Join(l.Words, " "), "asks for what must not be, which a route cannot: it is left out")
		return false
	}
	i := slices.Index(l.Words, "if")
	if i < 0 {
		return true
	}
	words := l.Words[i+1:]
	for len(words) > 0 {
		var test []string
		if end := slices.Index(words, "}"); words[0] == "{" && end > 0 {
			test, words = words[1:end], words[end+1:]
		} else {
			test, words = h.acl(s, words[0]), words[1:]
		}
		if !h.test(test, r) {
			h.note(l.At(), strings.Join(l.Words, " "), "has a condition that a route cannot have: it is left out")
			return false
		}
	}
	return true
}

// acl returns what a named acl asks for, nil when it is not known or has several
// lines, which would be "or".
func (h *fromHAProxy) acl(s *haproxy.Section, name string) []string {
	all := s.All("acl", name)
	if len(all) != 1 {
		return nil
	}
	return all[0].Words[2:]
}

// test adds one test of a condition to a route.
func (h *fromHAProxy) test(words []string, r *route) bool {
	if len(words) < 2 {
		return false
	}
	what := words[0]
	var values []string
	for _, w := range words[1:] {
		switch {
		case w == "-i", w == "-m":
		case strings.HasPrefix(w, "-"):
			return false
		default:
			values = append(values, w)
		}
	}
	if len(values) == 0 {
		return false
	}
	switch what {
	case "hdr(host)", "req.hdr(host)", "hdr_dom(host)":
		if what == "hdr_dom(host)" {
			return false
		}
		r.hosts = values
	case "path":
		r.path = values[0]
		return len(values) == 1 && r.path != ""
	case "path_beg":
		r.path = values[0] + "*"
		return len(values) == 1
	default:
		name, ok := strings.CutPrefix(strings.TrimPrefix(what, "req."), "hdr(")
		name, ok2 := strings.CutSuffix(name, ")")
		if !ok || !ok2 || len(values) != 1 {
			return false
		}
		r.headers = with(r.headers, name, values[0])
	}
	return true
}

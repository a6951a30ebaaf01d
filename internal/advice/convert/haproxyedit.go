package convert

import (
	"regexp"
	"slices"
	"strings"

	"github.com/goodgate/goodgate/internal/advice/haproxy"
)

// headers converts changes of headers and of the path that have no condition.
func (h *fromHAProxy) headers(s *haproxy.Section, r *route) {
	for _, l := range slices.Concat(s.All("http-request"), s.All("http-response"), s.All("http-after-response")) {
		if !h.changes(s, l) {
			h.edit(l, r, l.Has("if") || l.Has("unless"))
		}
	}
}

// edit converts a line that changes headers or the path.
func (h *fromHAProxy) edit(l haproxy.Line, r *route, conditional bool) {
	isRequest := l.Word(0) == "http-request"
	name := l.Word(2)
	switch l.Word(1) {
	case "set-header", "add-header":
		h.setHeader(l, r, conditional)
	case "del-header":
		if conditional || !isField(name) || l.Word(3) == "-m" {
			return // it is refused
		}
		if isRequest {
			r.dropRequest = withWord(r.dropRequest, name)
			r.setRequest, r.addRequest = without(r.setRequest, name), without(r.addRequest, name)
		} else {
			r.dropResponse = withWord(r.dropResponse, name)
			r.setResponse, r.addResponse = without(r.setResponse, name), without(r.addResponse, name)
		}
		h.use(l)
	case "replace-header":
		if !isRequest && !conditional && h.replaced(l, r) {
			h.use(l)
		}
	case "replace-path":
		re, ok := expression(name, false)
		to := strings.ReplaceAll(l.Word(3), "$", "$$")
		to = numberedPart.ReplaceAllString(to, "$${$1}")
		if !isRequest || conditional || !ok || !isPath(to) || strings.ContainsAny(to, `\%`) || r.rewrite[0]+r.add != "" {
			return // it is noted
		}
		r.rewrite = [2]string{re, to} // HAProxy, too, replaces the whole path in which it finds the expression
		h.use(l)
	case "set-path":
		if isRequest && !conditional && setPath(name, r) {
			h.use(l)
		}
	}
}

// changes reports whether a line changes some requests, and no later line of the
// section overrides it for all requests.
func (h *fromHAProxy) changes(s *haproxy.Section, l haproxy.Line) bool {
	conditional := func(l haproxy.Line) bool { return l.Has("if") || l.Has("unless") }
	allowed := func(from, to haproxy.Line) bool { // between them, some requests leave the ruleset
		return slices.ContainsFunc(s.All("http-request", "allow"), func(o haproxy.Line) bool { return o.No > from.No && o.No < to.No })
	}
	if l.Word(0) != "http-request" || !(conditional(l) && len(l.Words) >= 5) && !allowed(haproxy.Line{}, l) {
		return false
	}
	kinds := []string{"set-header", "add-header", "del-header"}
	same := func(o haproxy.Line) bool { return strings.EqualFold(o.Word(2), l.Word(2)) }
	switch {
	case slices.Contains([]string{"set-path", "replace-path"}, l.Word(1)):
		kinds, same = pathChanges, func(haproxy.Line) bool { return true }
	case !slices.Contains(kinds, l.Word(1)) || !isField(l.Word(2)) || bySelf(l.Word(2)) || l.Word(3) == "-m":
		return false
	}
	return !slices.ContainsFunc(s.All("http-request"), func(o haproxy.Line) bool {
		return o.No > l.No && !conditional(o) && !allowed(l, o) && slices.Contains(kinds, o.Word(1)) && same(o)
	})
}

// changing returns the guards of a line that changes some requests.
func (h *fromHAProxy) changing(s *haproxy.Section, l haproxy.Line) []guard {
	terms, ok := h.terms(s, l)
	if !ok && strings.HasSuffix(l.Word(1), "et-header") {
		h.edit(l, &route{}, true) // notes or refuses the line
	}
	if !ok {
		return nil // it is refused, or noted
	}
	return alternatives(terms, guard{lost: Note{l.At(), h.name(l), "(" + strings.Join(l.Words, " ") + ") would apply to other requests"}, then: func(r route, rest []guard) {
		h.edit(l, &r, false)
		h.guarded(r, rest)
	}})
}

// pathChanges are the actions that change the path.
var pathChanges = []string{"set-path", "replace-path", "set-pathq", "replace-pathq", "set-uri", "replace-uri", "normalize-uri"}

// fieldsChanged returns the headers of requests that earlier lines of the section change.
func fieldsChanged(s *haproxy.Section, l haproxy.Line) (names []string) {
	for _, o := range s.All("http-request") {
		if slices.Contains([]string{"set-header", "add-header", "del-header", "replace-header", "replace-value"}, o.Word(1)) && before(o, l) {
			names = append(names, o.Word(2))
		}
	}
	return names
}

// before reports whether HAProxy applies an http-request line before another one.
func before(o, l haproxy.Line) bool {
	return o.No < l.No && l.Word(0) == "http-request" || l.Word(0) == "use_backend" || l.Word(0) == "redirect"
}

// pathChanged reports whether an earlier line of the section changes the path.
func pathChanged(s *haproxy.Section, l haproxy.Line) bool {
	return slices.ContainsFunc(s.All("http-request"), func(o haproxy.Line) bool {
		return slices.Contains(pathChanges, o.Word(1)) && before(o, l)
	})
}

// cutPath matches a path whose beginning is replaced.
var cutPath = regexp.MustCompile(`^%\[path,regsub\(\^([^,()|$"'\\]+),([^,()"'\\$]*)\)\]$`)

// setPath converts a path with a prefix before it, or with another beginning.
func setPath(format string, r *route) bool {
	if prefix, ok := strings.CutSuffix(format, "%[path]"); ok && isPath(prefix) && !strings.ContainsAny(prefix, "%") && r.rewrite[0] == "" {
		r.add = strings.TrimSuffix(prefix, "/") + r.add
		return true
	}
	m := cutPath.FindStringSubmatch(format)
	if m == nil || r.rewrite[0] != "" || r.add != "" || !isPath(m[2]) {
		return false
	}
	re, ok := expression("(?s)^"+m[1]+"(.*)$", false)
	r.rewrite = [2]string{re, m[2] + "${1}"}
	return ok
}

// replaced converts a change of Location or of cookies. HAProxy, too, replaces the
// whole value in which it finds the expression.
func (h *fromHAProxy) replaced(l haproxy.Line, r *route) bool {
	re, ok := expression(l.Word(3), false)
	to := strings.ReplaceAll(l.Word(4), "$", "$$")
	if !ok || len(l.Words) != 5 || strings.Contains(to, "%") {
		return false
	}
	if strings.EqualFold(l.Word(2), "Set-Cookie") {
		first, flags, _ := strings.Cut(to, ";")
		words := strings.Fields(strings.ToLower(strings.ReplaceAll(flags, ";", " ")))
		entry, ok := cookieFlags(`name: "*"`, words)
		if first != `\1` || !slices.Contains([]string{"^(.*)$", "(.*)", "^(.*)", "^(.+)$", "(.+)"}, l.Word(3)) || !ok {
			return false
		}
		r.cookieFlags = append(r.cookieFlags, entry)
		return true
	}
	to = numberedPart.ReplaceAllString(to, "$${$1}")
	if !strings.EqualFold(l.Word(2), "Location") || strings.Contains(to, `\`) || !isValue(to) {
		return false
	}
	r.location = append(r.location, rewrite{from: re, to: to, regexp: true})
	return true
}

var numberedPart = regexp.MustCompile(`\\([0-9])`)

func (h *fromHAProxy) setHeader(l haproxy.Line, r *route, conditional bool) {
	name := l.Word(2)
	isRequest, adds := l.Word(0) == "http-request", l.Word(1) == "add-header"
	value, ok := logFormat(l.Word(3), isRequest)
	if isRequest && r.rewrite[0]+r.add != "" && strings.Contains(strings.ReplaceAll(value, "{path", "{uri"), "{uri") {
		ok = false // it would use the changed path
	}
	h.use(l)
	switch {
	case isRequest && bySelf(name):
		// goodgate always sends these
	case isRequest && strings.EqualFold(name, "Host") && !conditional && isName(value):
		r.host = value
	case !isField(name) || conditional:
		h.note(l.At(), l.Word(0)+" "+l.Word(1)+" "+name, "left out: it has a condition, or goodgate cannot set this header")
	case !ok && isRequest:
		r.dropRequest = append(slices.Clone(r.dropRequest), name)
		h.note(l.At(), l.Word(0)+" "+l.Word(1)+" "+name, "left out: its value has a variable that goodgate lacks. goodgate removes this header from requests, so that no client can forge it")
	case !ok:
		h.note(l.At(), l.Word(0)+" "+l.Word(1)+" "+name, "left out: its value has a variable that goodgate lacks")
	case adds && strings.EqualFold(name, "Set-Cookie") && setsField(r.addResponse, name): // cookies have no lists
		h.note(l.At(), l.Word(0)+" add-header "+name, "left out: goodgate adds only one cookie")
	case isRequest && adds:
		r.addRequest = also(r.addRequest, name, value)
	case isRequest:
		r.setRequest, r.addRequest = with(r.setRequest, name, value), without(r.addRequest, name)
	case adds:
		r.addResponse = also(r.addResponse, name, value)
	default:
		r.setResponse, r.addResponse = with(r.setResponse, name, value), without(r.addResponse, name)
		if l.Word(0) == "http-after-response" { // applies to HAProxy's own answers too
			r.setError = with(r.setError, name, value)
		}
	}
}

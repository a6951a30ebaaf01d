package convert

import (
	"slices"
	"strconv"
	"strings"

	"github.com/goodgate/goodgate/internal/advice/haproxy"
)

// rules returns the guards of a section's rules, in HAProxy's order.
func (h *fromHAProxy) rules(s *haproxy.Section, r *route) (guards []guard) {
	var lines []haproxy.Line
	for _, first := range [][]string{{"tcp-request", "connection"}, {"tcp-request", "session"}, {"tcp-request", "content"}, {"monitor-uri"}, {"http-request"}, {"redirect"}} {
		if first[0] != "monitor-uri" {
			lines = append(lines, s.All(first...)...)
		} else if l := s.One(first...); h.front && len(l.Words) > 0 {
			lines = append(lines, l)
		}
	}
	var passing []int
	var set string
	var sets []string // the ruleset of each guard; "allow" ends only its own
	ruleset := func(l haproxy.Line) string {
		if l.Word(0) == "tcp-request" {
			return l.Word(0) + " " + l.Word(1)
		}
		return l.Word(0)
	}
	for i, l := range lines {
		for len(sets) < len(guards) {
			sets = append(sets, set)
		}
		set = ruleset(l)
		if h.rate(s, l, r) || h.perClient(s, l) {
			continue
		}
		if h.changes(s, l) {
			guards = append(guards, h.changing(s, l)...)
			continue
		}
		if l.Word(0) == "http-request" && l.Word(1) == "auth" {
			guards = append(guards, h.signIn(s, l)...)
			continue
		}
		a, passes, ok := h.action(l)
		if !ok {
			continue
		}
		terms, ok := h.terms(s, l)
		if !ok && set == "monitor-uri" {
			h.note(l.At(), set, "left out: write a route for it with respond")
		}
		if !ok {
			continue // it is refused
		}
		if h.use(l); passes && (i+1 == len(lines) || ruleset(lines[i+1]) != set) {
			continue // it has nothing to skip
		}
		if a != nil {
			for name, value := range r.setError { // headers of all answers
				a.fields = with(a.fields, name, value)
			}
		}
		if l.Has("reject") || l.Has("silent-drop") {
			h.note(l.At(), h.name(l), "goodgate answers 403; HAProxy closes the connection")
		}
		lost, _ := hidesOrLimits(l)
		g := guard{answer: a, behind: true, lost: Note{l.At(), h.name(l), "(" + strings.Join(l.Words, " ") + ") " + lost}}
		for _, g := range alternatives(terms, g) {
			if passes && g.passes == 0 { // not a guard that only skips this rule
				passing = append(passing, len(guards))
			}
			guards = append(guards, g)
		}
	}
	for len(sets) < len(guards) {
		sets = append(sets, set)
	}
	for _, i := range passing {
		end := i + 1
		for end < len(guards) && sets[end] == sets[i] {
			end++
		}
		guards[i].passes = end - 1 - i
	}
	return guards
}

// action returns the answer of a rule. passes is true for a rule that lets requests
// skip the others.
func (h *fromHAProxy) action(l haproxy.Line) (a *answer, passes, ok bool) {
	action := l.Word(1)
	if l.Word(0) == "tcp-request" {
		action = l.Word(2)
	}
	respond := func(status int) *answer { return &answer{respond: true, status: status} }
	switch {
	case l.Word(0) == "redirect" || l.Word(0) == "http-request" && action == "redirect":
		a, ok = redirection(l)
		return a, false, ok
	case l.Word(0) == "monitor-uri":
		a = respond(200)
		a.body, a.kind = "<html><body><h1>200 OK</h1>\nService ready.\n</body></html>\n", "text/html"
		return a, false, true
	case action == "deny" || action == "tarpit":
		return respond(deniedBy(l, map[string]int{"deny": 403, "tarpit": 500}[action])), false, true
	case action == "reject" || action == "silent-drop":
		return respond(403), false, true
	case action == "return" && !l.Has("file") && !l.Has("lf-file") && !l.Has("errorfile") && !l.Has("errorfiles") && !l.Has("default-errorfiles"):
		a = respond(deniedBy(l, 200))
		ok = returned(l, a)
		return a, false, ok && a.status >= 200 && a.status != 204 && a.status != 304
	case action == "use-service":
		h.note(l.At(), h.name(l), "goodgate answers 404 instead (see admin for its own metrics)")
		return respond(404), false, l.Word(2) == "prometheus-exporter"
	case action == "allow" || action == "accept":
		return nil, true, true
	}
	return nil, false, false
}

// returned adds the body and the headers of "http-request return" to an answer.
func returned(l haproxy.Line, a *answer) (ok bool) {
	a.body, a.kind = l.After("string"), l.After("content-type")
	if ok = true; l.Has("lf-string") {
		a.body, ok = logFormat(l.After("lf-string"), true)
	}
	for i, w := range l.Words {
		if w != "hdr" || i < 3 || i+2 >= len(l.Words) {
			continue
		}
		value, known := logFormat(l.Words[i+2], true)
		ok = ok && known && isField(l.Words[i+1])
		a.fields = with(a.fields, l.Words[i+1], value)
	}
	return ok
}

func deniedBy(l haproxy.Line, standard int) int {
	for _, word := range []string{"deny_status", "status"} {
		if n, err := strconv.Atoi(l.After(word)); err == nil && n >= 200 && n < 600 {
			return n
		}
	}
	return standard
}

// redirection converts "redirect scheme https", "redirect location" and "redirect
// prefix".
func redirection(l haproxy.Line) (*answer, bool) {
	a := &answer{status: 302}
	if n, err := strconv.Atoi(l.After("code")); err == nil && slices.Contains([]int{301, 302, 303, 307, 308}, n) {
		a.status = n
	}
	query := map[bool]string{false: "{query}"}[l.Has("drop-query")]
	var ok bool
	switch {
	case slices.Contains([]string{"http", "https"}, l.After("scheme")):
		a.redirect, ok = l.After("scheme")+"://{host}{path}{query}", query != ""
	case l.After("prefix") != "":
		a.redirect, ok = logFormat(strings.TrimSuffix(l.After("prefix"), "/"), true)
		a.redirect += "{path}" + query
	default:
		a.redirect, ok = logFormat(l.After("location"), true)
		ok = ok && query != ""
	}
	a.redirect = strings.NewReplacer("{uri}", "{path}{query}", "{scheme}", schemeMark).Replace(a.redirect)
	return a, ok && leads(a.redirect) && !l.Has("set-cookie") && !l.Has("append-slash")
}

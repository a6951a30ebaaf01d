package convert

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goodgate/goodgate/internal/advice/haproxy"
)

// rules are the guards of a section's rules, in HAProxy's order.
func (h *fromHAProxy) rules(s *haproxy.Section, r *route) (guards []guard) {
	var lines []haproxy.Line
	for _, first := range []string{"monitor-uri", "tcp-request", "http-request", "redirect"} {
		lines = append(lines, s.All(first)...)
	}
	var passing []int
	for _, l := range lines {
		if h.rate(s, l, r) {
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
		if !ok {
			continue // it is refused
		}
		h.use(l)
		if l.Has("reject") || l.Has("silent-drop") {
			h.note(l.At(), h.name(l), "is answered with 403, where HAProxy closes the connection")
		}
		lost, _ := hidesOrLimits(l)
		g := guard{answer: a, behind: true, lost: Note{l.At(), h.name(l), "(" + strings.Join(l.Words, " ") + ") " + lost}}
		for _, g := range alternatives(terms, g) {
			if passes && g.passes == 0 { // not one that only passes this rule
				passing = append(passing, len(guards))
			}
			guards = append(guards, g)
		}
	}
	for _, i := range passing {
		guards[i].passes = len(guards) - 1 - i
	}
	return guards
}

// action is what a rule answers; passes is one that lets requests by the others.
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
		return respond(200), false, true
	case action == "deny" || action == "tarpit":
		return respond(deniedBy(l, map[string]int{"deny": 403, "tarpit": 500}[action])), false, true
	case action == "reject" || action == "silent-drop":
		return respond(403), false, true
	case action == "return" && !l.Has("file") && !l.Has("lf-string") && !l.Has("lf-file") && !l.Has("errorfile") && !l.Has("hdr"):
		a = respond(deniedBy(l, 200))
		a.body, a.kind = l.After("string"), l.After("content-type")
		return a, false, a.status >= 200 && a.status != 204 && a.status != 304
	case action == "allow" || action == "accept":
		return nil, true, true
	}
	return nil, false, false
}

func deniedBy(l haproxy.Line, standard int) int {
	for _, word := range []string{"deny_status", "status"} {
		if n, err := strconv.Atoi(l.After(word)); err == nil && n >= 200 && n < 600 {
			return n
		}
	}
	return standard
}

// redirection converts "redirect scheme https", and those to a place or below a prefix.
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

var requestRate = regexp.MustCompile(`^\{ (?:sc0?_http_req_rate\(0(?:,[^)]*)?\)|sc0_http_req_rate|src_http_req_rate(?:\([^)]*\))?) (gt|ge) (\d+) \}$`)

var storedRate = regexp.MustCompile(`http_req_rate\(([0-9a-z]+)\)`)

// rate converts a deny by the rate that a stick-table keeps of clients' addresses.
func (h *fromHAProxy) rate(s *haproxy.Section, l haproxy.Line, r *route) bool {
	i := slices.Index(l.Words, "if")
	if i < 0 || l.Word(0) != "http-request" || l.Word(1) != "deny" && l.Word(1) != "tarpit" {
		return false
	}
	text := l.Words[i+1:]
	if len(text) == 1 {
		if acls := s.All("acl", text[0]); len(acls) == 1 {
			text = slices.Concat([]string{"{"}, acls[0].Words[2:], []string{"}"})
		}
	}
	m := requestRate.FindStringSubmatch(strings.Join(text, " "))
	table := s.One("stick-table")
	per := storedRate.FindStringSubmatch(strings.Join(table.Words, " "))
	tracked := slices.ContainsFunc(s.All("http-request", "track-sc0", "src"), func(t haproxy.Line) bool { return len(t.Words) == 3 }) ||
		len(s.All("tcp-request", "connection", "track-sc0", "src")) > 0 || m != nil && strings.Contains(strings.Join(text, " "), "src_http")
	if m == nil || per == nil || !tracked || !slices.Contains([]string{"ip", "ipv6"}, table.After("type")) {
		return false
	}
	most, err := strconv.Atoi(m[2])
	span, ok := haproxy.Duration(per[1])
	if err != nil || !ok || most < 1 || most > 1e7 || span.Milliseconds() < 1 || span.Hours() > 24 {
		return false
	}
	r.rates = append(r.rates, "{on: client_ip, requests: "+strconv.Itoa(most)+", per: "+span.String()+", ipv6_prefix: 128}")
	h.note(l.At(), "http-request "+l.Word(1), "a request too many gets 429; each route counts by itself")
	h.use(l, table)
	h.use(s.All("http-request", "track-sc0", "src")...)
	h.use(s.All("tcp-request", "connection", "track-sc0", "src")...)
	return true
}

package convert

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/goodgate/goodgate/internal/advice/haproxy"
)

// HAProxy converts the frontends and backends of an HAProxy configuration.
func HAProxy(c *haproxy.Config) *Result {
	h := &fromHAProxy{Config: c, Result: &Result{}, pools: map[string]string{}, done: map[int]bool{}, reached: map[*haproxy.Section]bool{}}
	front := func(s *haproxy.Section) bool { return s.Kind == "frontend" || s.Kind == "listen" }
	for _, s := range c.Sections {
		if front(s) && h.isHTTP(s) {
			h.binds(s)
		}
	}
	h.overlaps()
	h.logs()
	h.sometimes()
	for _, s := range c.Sections {
		switch {
		case front(s) && h.isHTTP(s):
			h.reached[s] = true
			h.frontend(s)
		case front(s):
			at := ""
			if mode := s.One("mode"); len(mode.Words) > 0 {
				at = mode.At()
			}
			h.note(at, s.Kind+" "+s.Name, "left out: goodgate forwards only HTTP (mode http)")
		case slices.Contains([]string{"backend", "global", "defaults", "userlist", "resolvers"}, s.Kind): // read where they are named
		default:
			h.note("", s.Kind+" "+s.Name, "left out: goodgate has no equivalent")
		}
	}
	for _, s := range c.Sections {
		switch {
		case h.reached[s], s.Kind == "defaults":
			h.left(s, func(haproxy.Line) bool { return true })
		case s.Kind == "backend":
			h.note("", "backend "+s.Name, "left out: no frontend uses it")
		}
	}
	if !slices.ContainsFunc(c.Sections, func(s *haproxy.Section) bool { return front(s) && h.isHTTP(s) }) {
		h.Missing = "no frontend or listen section with mode http"
	}
	return h.Result
}

type fromHAProxy struct {
	*haproxy.Config
	*Result
	pools   map[string]string // by backend
	done    map[int]bool      // lines that have been converted, or noted
	reached map[*haproxy.Section]bool

	front       bool     // the rules being read are a frontend's
	moved       bool     // the frontend has changed the path
	edited      []string // headers that the frontend has changed
	anotherPath bool     // the conditions being read are about a changed path
	otherFields []string // headers that were changed before the conditions being read
	otherSource bool     // the conditions being read are about the address of a proxy before this one
}

// sometimes refuses lines that HAProxy reads only under a condition, and those whose
// meaning depends on an unknown environment.
func (h *fromHAProxy) sometimes() {
	for _, v := range h.Unset {
		h.refuse(v.At(), "${"+v.Word(0)+"}", "this environment variable is not set, so the line may protect something else: run convert with HAProxy's environment")
	}
	for _, s := range h.Sections {
		for _, l := range s.Lines {
			if l.Word(0) == ".if" {
				h.refuse(l.At(), ".if", "("+strings.Join(l.Words, " ")+") all branches would apply: remove those that do not")
			}
			if strings.HasPrefix(l.Word(0), ".") {
				h.use(l)
			}
		}
	}
}

func (h *fromHAProxy) isHTTP(s *haproxy.Section) bool { return s.One("mode").Word(1) == "http" }

// use marks lines that have been converted, or whose loss has been reported.
func (h *fromHAProxy) use(lines ...haproxy.Line) {
	for _, l := range lines {
		h.done[l.No] = true
	}
}

// left notes the lines that were not converted, and refuses those that protect
// something.
func (h *fromHAProxy) left(s *haproxy.Section, these func(haproxy.Line) bool) {
	for _, l := range s.Lines {
		if !these(l) {
			continue
		}
		name := h.name(l)
		lost, protects := hidesOrLimits(l)
		switch {
		case h.done[l.No]:
		case protects:
			h.refuse(l.At(), name, "("+strings.Join(l.Words, " ")+") "+lost)
		case isReadByName(l):
		default:
			h.note(l.At(), name, "left out: %s", cmp.Or(replaceableLines[name], replaceableLines[l.Word(0)], "goodgate has no equivalent"))
		}
	}
}

// replaceableLines are lines without an equivalent that goodgate can replace, by their
// first word or by their name.
var replaceableLines = map[string]string{
	"stick":                    "set the pool's policy to sticky or hash",
	"http-request cache-use":   "see cache",
	"http-request replace-uri": "see rewrite_path",
	"http-request set-uri":     "see rewrite_path",
	"http-request set-query":   "see request_query",
	"errorfile":                "put the page, without its HTTP header, into the folder of errors.dir, named after the status, such as 503.html",
	"errorfiles":               "put the pages, without their HTTP headers, into the folder of errors.dir, named after the status, such as 503.html",
	"stats":                    "see admin for goodgate's own dashboard and metrics",
}

// name returns a short name of a line: its first word, and as many more as identify the
// action.
func (h *fromHAProxy) name(l haproxy.Line) string {
	words := 1
	switch l.Word(0) {
	case "tcp-request", "tcp-response":
		words = 3
	case "http-request", "http-response", "http-after-response", "http-check", "option", "timeout", "filter", "no", "rate-limit", "stats", "server":
		words = 2
	}
	name, _, _ := strings.Cut(strings.Join(l.Words[:min(words, len(l.Words))], " "), "(")
	return name
}

// isReadByName reports whether another function looks the line up, or the line needs no
// equivalent.
func isReadByName(l haproxy.Line) bool {
	second := map[string][]string{
		// goodgate has its own bounds for the other waits
		"timeout": {"connect", "server", "client", "http-request", "http-keep-alive", "check", "tunnel", "queue", "client-fin", "server-fin"},
		// goodgate has its own log, sends X-Forwarded-For, keeps connections, and tries another upstream
		"option":     {"httplog", "tcplog", "dontlognull", "dontlog-normal", "forwardfor", "httpchk", "tcp-check", "http-server-close", "http-keep-alive", "redispatch", "log-health-checks", "http-buffer-request", "tcp-smart-accept", "tcp-smart-connect", "tcpka", "clitcpka", "srvtcpka", "splice-auto", "splice-request", "splice-response", "log-separate-errors", "prefer-last-server", "contstats", "abortonclose"},
		"http-check": {"expect", "send"},
		"tcp-check":  {"connect", "send", "send-binary", "expect", "comment"},
		"no":         {"log"},
	}
	if l.Word(0) == "no" && l.Word(1) == "option" {
		l.Words = l.Words[1:]
	}
	words, limited := second[l.Word(0)]
	return limited && slices.Contains(words, l.Word(1)) ||
		slices.Contains([]string{"mode", "bind", "server", "default_backend", "acl", "balance", "log", "log-format", "log-tag", "maxconn", "retries", "fullconn", "default-server", "description", "http-reuse", "id", "unique-id-format", "monitor-uri"}, l.Word(0))
}

// hidesOrLimits returns what would be lost without a line that restricts access, limits
// or hides something.
func hidesOrLimits(l haproxy.Line) (lost string, protects bool) {
	const in, redirected = "its restrictions would be lost", "requests would get access instead of a redirect"
	action := l.Word(1)
	if strings.HasPrefix(l.Word(0), "tcp-") {
		action = l.Word(2)
	}
	action, _, _ = strings.Cut(action, "(")
	switch l.Word(0) {
	case "http-request", "http-response", "http-after-response", "tcp-request", "tcp-response":
		switch {
		case slices.Contains([]string{"deny", "tarpit", "reject", "silent-drop", "close", "return", "wait-for-handshake"}, action):
			return in, true
		case action == "redirect":
			return redirected, true
		case action == "auth":
			return "password-protected pages would be open to everybody", true
		case strings.HasPrefix(action, "lua.") || action == "send-spoe-group" || action == "use-service":
			return "its rules would be lost", true
		case action == "del-header" || strings.HasPrefix(action, "del-"):
			return "data that it removes would be passed on", true
		case action == "replace-header" && strings.EqualFold(l.Word(2), "Set-Cookie"), action == "replace-value" && strings.EqualFold(l.Word(2), "Set-Cookie"):
			return "cookies would lack the attributes that it adds", true
		case action == "set-bandwidth-limit":
			return "the bandwidth would not be limited", true
		case action == "set-src" || action == "expect-proxy" || action == "expect-netscaler-cip":
			return "client addresses would change, and other rules may depend on them", true
		}
	case "redirect":
		return redirected, true
	case "block", "reqdeny", "reqideny", "reqtarpit", "reqitarpit", "rspdeny", "rspideny":
		return in, true
	case "rate-limit":
		return "the rate of connections would be unlimited", true
	case "filter":
		return "requests would not be inspected or limited", l.Word(1) == "spoe" || l.Word(1) == "bwlim-in" || l.Word(1) == "bwlim-out"
	}
	return "", false
}

// global returns the last line of the global section that begins with words.
func (h *fromHAProxy) global(words ...string) (l haproxy.Line) {
	for _, s := range h.Sections {
		if all := s.All(words...); s.Kind == "global" && len(all) > 0 {
			l = all[len(all)-1]
		}
	}
	return l
}

// within returns a file in the folder that crt-base or ca-base names.
func (h *fromHAProxy) within(base, file string) string {
	if folder := h.global(base).Word(1); folder != "" && file != "" && !strings.ContainsAny(file[:1], "/@") {
		return strings.TrimSuffix(folder, "/") + "/" + file
	}
	return file
}

// frontend converts a frontend: its rules in HAProxy's order, then its backends.
func (h *fromHAProxy) frontend(s *haproxy.Section) {
	var addresses []string
	for _, b := range s.All("bind") {
		addresses = append(addresses, bound(b)...)
	}
	base := route{conditions: h.at(addresses, nil)}
	h.sources(s)
	h.forwarded(s, &base)
	h.headers(s, &base)
	h.compressed(s, &base)
	h.front = true
	guards := h.rules(s, &base)
	h.front = false
	for _, l := range s.All("use_backend") {
		backend := h.Find("backend", l.Word(1))
		terms, ok := h.terms(s, l)
		h.use(l)
		if backend == nil && strings.Contains(l.Word(1), "%[") {
			h.refuse(l.At(), "use_backend", "("+strings.Join(l.Words, " ")+") chooses by a variable, so its requests would go to another backend")
			continue
		}
		if backend == nil {
			h.note(l.At(), "use_backend "+l.Word(1), "left out: the file has no such backend")
			continue
		}
		if !ok {
			h.refuse(l.At(), "use_backend", "("+strings.Join(l.Words, " ")+") has a condition that a route cannot have, so its requests would go to another backend")
			continue
		}
		guards = append(guards, alternatives(terms, guard{then: func(r route, _ []guard) { h.backend(backend, r) }, lost: Note{l.At(), "use_backend", "its requests would go to another backend"}})...)
	}
	end := guard{then: func(r route, _ []guard) {
		r.answer = answer{respond: true, status: 503}
		h.add(r)
	}}
	switch name := s.One("default_backend").Word(1); {
	case s.Kind == "listen" && len(s.All("server")) > 0:
		end.then = func(r route, _ []guard) { h.pooled(s, r) }
	case name != "" && h.Find("backend", name) != nil:
		end.then = func(r route, _ []guard) { h.backend(h.Find("backend", name), r) }
	case name != "":
		h.note(s.One("default_backend").At(), "backend "+name, "its requests get 503, because the file has no such backend")
	}
	h.guarded(base, append(guards, end))
}

// backend converts a backend's rules and servers, under a route's conditions.
func (h *fromHAProxy) backend(s *haproxy.Section, r route) {
	h.reached[s] = true
	if !h.isHTTP(s) {
		h.note("", "backend "+s.Name, "its requests get 503, because goodgate forwards only HTTP (mode http)")
		r.answer = answer{respond: true, status: 503}
		h.add(r)
		return
	}
	h.again(s)
	h.moved = r.rewrite[0]+r.add != ""
	h.edited = slices.Concat(slices.Collect(maps.Keys(r.setRequest)), slices.Collect(maps.Keys(r.addRequest)), r.dropRequest)
	if r.host != "" {
		h.edited = append(h.edited, "Host")
	}
	h.forwarded(s, &r)
	h.headers(s, &r)
	h.compressed(s, &r)
	guards := h.rules(s, &r)
	h.moved, h.edited = false, nil
	h.guarded(r, append(guards, guard{then: func(r route, _ []guard) { h.pooled(s, r) }}))
	h.left(s, isRule)
}

// again begins a further conversion of a backend: a frontend may have changed the
// path or the headers that the backend's rules test, so that this conversion must refuse
// the rules.
func (h *fromHAProxy) again(s *haproxy.Section) {
	for _, l := range s.Lines {
		if isRule(l) {
			delete(h.done, l.No)
		}
	}
}

// isRule reports whether a line is a rule for requests.
func isRule(l haproxy.Line) bool {
	return l.Word(0) == "redirect" || strings.HasPrefix(l.Word(0), "http-request") || strings.HasPrefix(l.Word(0), "tcp-request")
}

func (h *fromHAProxy) pooled(s *haproxy.Section, r route) {
	if r.pool = h.pool(s); r.pool == "" {
		h.note("", "backend "+s.Name, "its requests get 503, because goodgate cannot use any of its servers")
		r.answer = answer{respond: true, status: 503}
	}
	h.add(r)
}

package convert

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goodgate/goodgate/internal/advice/nginxconf"
)

// passing returns what happens to requests that reach a proxy_pass within an "if", nil
// if there is none.
type passing func(in *nginxconf.Directive) func(route, []guard)

// spot is the context of an answer: the names of its server, and the groups of its
// location's expression.
type spot struct {
	hosts  []string
	groups []string
	byPath bool // the groups belong to an expression for the path
}

func (s spot) name() string {
	if len(s.hosts) > 0 && !strings.HasPrefix(s.hosts[0], "*") {
		return s.hosts[0]
	}
	return ""
}

func (s spot) filling() filling { return filling{server: s.name(), groups: s.groups} }

// rewriting returns the guards of a block's if, return and rewrite directives in order,
// and the answer to all other requests, nil if there is none.
func (n *nginx) rewriting(sc scope, at spot, pass passing) (guards []guard, rest *answer) {
	for _, d := range sc[len(sc)-1] {
		switch d.Name {
		case "if":
			if some, ok := n.conditional(d, sc, at, pass); ok {
				guards = append(guards, some...)
			}
		case "return":
			a, ok := n.answer(d, sc, at)
			if !ok {
				continue
			}
			n.use(d)
			a.fields, _ = n.addHeaders(sc, a.status, at.filling())
			return guards, &a
		case "rewrite":
			if g, ok := n.redirecting(d, sc, at); ok {
				n.use(d)
				g.answer.fields, _ = n.addHeaders(sc, g.answer.status, at.filling())
				guards = append(guards, g)
			}
		}
	}
	return guards, nil
}

// conditional converts "if (...) { return ...; }" and an "if" with proxy_pass.
func (n *nginx) conditional(d *nginxconf.Directive, sc scope, at spot, pass passing) ([]guard, bool) {
	if len(d.Block) == 0 {
		return nil, false
	}
	g, ok := condition(d.Args)
	if ok {
		g, ok = n.consequence(d, g, sc, at, pass)
		return []guard{g}, ok
	}
	if _, ok = n.switched(d.Args, guard{}); !ok {
		return nil, false
	}
	if g, ok = n.consequence(d, guard{}, sc, at, pass); !ok {
		return nil, false
	}
	return n.switched(d.Args, g)
}

// consequence sets the guard's answer or target from the block of an "if".
func (n *nginx) consequence(d *nginxconf.Directive, g guard, sc scope, at spot, pass passing) (guard, bool) {
	ok := true
	if then := pass(d); then != nil && !g.not {
		n.use(d)
		g.then, g.lost = then, Note{d.At(), "if", "requests with (" + strings.Join(d.Args, " ") + ") would go to another upstream"}
		return g, true
	}
	steps := slices.DeleteFunc(slices.Clone(d.Block), func(in *nginxconf.Directive) bool { return in.Name == "add_header" || in.Name == "default_type" })
	if len(steps) == 0 {
		return g, false
	}
	first := steps[0]
	if at.groups = g.groups(); g.not || g.hostRe != "" && at.byPath {
		at.groups = nil // nothing was matched, or a route would take the groups from the path
	}
	var a answer
	switch {
	case first.Name == "return":
		if !n.answerable(first, at) {
			return g, false
		}
		a, ok = n.answer(first, sc.within(d.Block), at)
	case first.Name == "rewrite":
		var in guard
		in, ok = n.redirecting(first, sc, at)
		if ok = ok && in.conditions.match() == "{}"; ok {
			a = *in.answer
		}
	default:
		ok = false
	}
	if !ok {
		return g, false
	}
	n.use(d)
	a.fields, _ = n.addHeaders(sc.within(d.Block), a.status, at.filling())
	if other, ok := g.opposite(); ok && g.not {
		g.conditions, g.not = other, false
	}
	g.answer, g.lost = &a, Note{d.At(), "if", unanswered(d, first)}
	return g, true
}

// redirecting converts a rewrite that redirects one path, all paths, or the part after
// a slash.
func (n *nginx) redirecting(d *nginxconf.Directive, sc scope, at spot) (g guard, ok bool) {
	status := map[string]int{"permanent": 301, "redirect": 302}[d.Arg(2)]
	if status == 0 {
		return g, false
	}
	from, to := d.Arg(0), d.Arg(1)
	path, whole := strings.CutPrefix(from, "^")
	path, end := strings.CutSuffix(path, "$")
	query := "$is_args$args"
	if rest, ends := strings.CutSuffix(to, "?"); ends {
		to, query = rest, ""
	} else if strings.Contains(to, "?") {
		query = "&$args"
	}
	if taken := map[string]string{"/(.*)": "/$1", "(.*)": "$1"}[path]; whole && taken != "" && strings.HasSuffix(to, taken) {
		to = strings.TrimSuffix(to, taken) + "$uri"
	}
	at.groups = nil
	switch {
	case whole && slices.Contains([]string{"", "/(.*)", ".*", "(.*)", "/.*"}, path) && !strings.Contains(to, "$1"):
	case whole && end && !strings.ContainsAny(path, `()[]|*+?\${}.`):
		ok = g.exactly(path)
		if !ok {
			return g, false
		}
	default:
		re, can := expression(from, false)
		if !can {
			return g, false
		}
		g.regexp, at.groups = re, groupsOf(re)
	}
	if strings.HasSuffix(to, "$request_uri") {
		query = ""
	}
	target, can := n.target(to+query, at)
	g.answer = &answer{redirect: target, status: status}
	g.lost = Note{d.At(), "rewrite", "requests that it redirects would reach the application instead"}
	return g, can
}

// target returns the target of a redirect in goodgate's form.
func (n *nginx) target(text string, at spot) (string, bool) {
	to, ok := at.filling().fill(strings.NewReplacer("$request_uri", "$uri$is_args$args", "$scheme", schemeMark).Replace(text))
	return to, ok && leads(to)
}

// leads reports whether goodgate can redirect to a URL or a path.
func leads(to string) bool {
	plain := redirects.ReplaceAllString(strings.ReplaceAll(to, schemeMark, ""), "")
	switch {
	case strings.ContainsAny(plain, "${}\\") || strings.ContainsFunc(plain, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return false
	case strings.HasPrefix(to, "{path}") || strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "//"):
		return true
	}
	rest, ok := strings.CutPrefix(strings.ReplaceAll(to, schemeMark, "http"), "http://")
	if !ok {
		rest, ok = strings.CutPrefix(to, "https://")
	}
	host, _, _ := strings.Cut(strings.NewReplacer("{path}", "/", "{query}", "?").Replace(rest), "/")
	host, _, _ = strings.Cut(host, "?")
	host = redirects.ReplaceAllString(host, "a")
	if h, port, found := strings.Cut(host, ":"); found {
		number, err := strconv.Atoi(port)
		ok, host = ok && err == nil && number > 0 && number <= 65535, h
	}
	return ok && isName(host)
}

// redirects are the variables that a redirect may have.
var redirects = regexp.MustCompile(`\{(?:host|hostname|path|query|args|query:[^{}]+|[1-9])\}`)

// answerable reports whether goodgate can give the answer of a return.
func (n *nginx) answerable(d *nginxconf.Directive, at spot) bool {
	text := d.Args[len(d.Args)-1]
	if len(d.Args) == 2 && !strings.HasPrefix(d.Arg(0), "30") || len(d.Args) == 1 && len(text) == 3 {
		return true
	}
	_, ok := n.target(text, at)
	return ok
}

// answer converts a return.
func (n *nginx) answer(d *nginxconf.Directive, sc scope, at spot) (a answer, ok bool) {
	status, err := strconv.Atoi(d.Arg(0))
	text := d.Arg(1)
	if err != nil { // return URL;
		status, text = 302, d.Arg(0)
	}
	switch {
	case text != "" && slices.Contains([]int{301, 302, 303, 307, 308}, status):
		to, ok := n.target(text, at)
		if !ok {
			n.note(d.At(), "return "+text, "goodgate cannot build this target and answers 404")
			return answer{respond: true, status: 404}, true
		}
		return answer{redirect: to, status: status}, true
	case status == 444, status == 499, status < 200 || status > 599:
		n.note(d.At(), "return "+d.Arg(0), "goodgate cannot answer this status and answers %d", closest(status))
		return answer{respond: true, status: closest(status)}, true
	case status == 204 || status == 304:
		return answer{respond: true, status: status}, true
	}
	if page := sc.any("error_page"); text == "" && slices.ContainsFunc(page, func(e *nginxconf.Directive) bool { return slices.Contains(e.Args, d.Arg(0)) }) {
		n.note(d.At(), "return "+d.Arg(0), "goodgate answers without a body; nginx sends its error_page")
	}
	body, ok := at.filling().fill(text)
	if !ok {
		n.note(d.At(), "return "+d.Arg(0), "the body is left out: it has a variable that goodgate lacks")
		body = ""
	}
	a = answer{respond: true, status: status, body: unescape(body)}
	if text != "" {
		a.kind = sc.one("default_type").Arg(0)
		if a.kind == "" {
			a.kind = "text/plain"
		}
	}
	return a, true
}

// closest returns the status that goodgate answers with instead of one that it cannot
// use.
func closest(status int) int {
	if status >= 400 && status < 600 && status != 444 && status != 499 {
		return status
	}
	return 404
}

// unescape removes nginx's escapes from a text.
func unescape(s string) string {
	return strings.NewReplacer(`\n`, "\n", `\r`, "\r", `\t`, "\t", `\"`, `"`, `\\`, `\`).Replace(s)
}

// access returns the guards of allow, deny and limit_except.
func (n *nginx) access(sc scope, at spot) []guard {
	guards := n.admission(sc)
	fields, _ := n.addHeaders(sc, 403, at.filling())
	for _, g := range guards {
		if g.answer != nil {
			g.answer.fields = fields
		}
	}
	return guards
}

// admission returns the guards without the headers of their answers. The list within
// limit_except replaces the location's for the methods that it does not name.
func (n *nginx) admission(sc scope) (guards []guard) {
	own := n.addresses(sc)
	for _, d := range named(sc[len(sc)-1], "limit_except") {
		if len(named(d.Block, "allow", "deny")) != len(d.Block) || slices.ContainsFunc(d.Args, func(m string) bool { return !isMethod(m) }) {
			continue // it is refused
		}
		inner := n.addresses(sc.within(d.Block))
		if len(inner) == 0 {
			continue
		}
		methods := slices.Clone(d.Args)
		if slices.Contains(methods, "GET") {
			methods = append(methods, "HEAD")
		}
		n.use(d)
		lost := Note{d.At(), d.Name, protecting[d.Name]}
		guards = append(guards, guard{conditions: conditions{methods: methods}, passes: len(inner) + 1, lost: lost})
		for i := range inner {
			inner[i].passes += 1 + len(own)
			inner[i].lost = lost
		}
		guards = append(append(guards, inner...), guard{passes: len(own), lost: lost})
	}
	return append(guards, own...)
}

// addresses returns the guards of a list of allow and deny. Consecutive entries of a
// kind become one guard.
func (n *nginx) addresses(sc scope) (guards []guard) {
	rules := sc.any("allow", "deny")
	if sc.one("satisfy").Arg(0) == "any" {
		return nil // either converts it, or all of it is refused
	}
	for i, d := range rules {
		net, ok := network(d.Arg(0))
		if !ok && d.Arg(0) != "all" {
			return nil
		}
		if i > 0 && rules[i-1].Name == d.Name && ok && len(guards[len(guards)-1].clients) > 0 {
			last := &guards[len(guards)-1]
			last.clients = append(last.clients, net)
			continue
		}
		g := guard{lost: Note{d.At(), d.Name, protecting["deny"]}}
		if ok {
			g.clients = []string{net}
		}
		if d.Name == "deny" {
			g.answer = &answer{respond: true, status: 403}
		}
		guards = append(guards, g)
		if !ok {
			rules = rules[:i+1]
			break
		}
	}
	n.use(rules...)
	for i := range guards {
		guards[i].passes = len(guards) - 1 - i
	}
	return guards
}

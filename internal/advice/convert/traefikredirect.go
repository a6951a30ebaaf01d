package convert

import (
	"regexp"
	"strconv"
	"strings"
)

// fromURL matches an expression for a whole URL: a scheme, a host and the rest.
var fromURL = regexp.MustCompile(`^\^?(https\?|https|http|\(https\?\)|\(http\|https\))://(\(\[\^/\]\+\)|\[\^/\]\+|\(\?:www\\?\.\)\?|(?:[\w-]|\\\.|\.)+)((?:/.*)?\(\.[*+]\))\$?$`)

// source holds the conditions in the expression of a redirectRegex.
type source struct {
	conditions
	hasNot []conditions
	groups []string // replacements for $1, $2 and so on in the redirect
}

// restOfPath stands for the rest of the path and the query after a slash.
const restOfPath = "\x00rest"

// redirectSource reads the expression of a redirectRegex. ok is false if a route cannot
// express it.
func redirectSource(re string) (s source, ok bool) {
	m := fromURL.FindStringSubmatch(re)
	if m == nil {
		return s, false
	}
	host, path := m[2], m[3]
	if s.scheme = m[1]; strings.HasPrefix(s.scheme, "(") {
		s.groups = append(s.groups, schemeMark)
	}
	if s.scheme != "http" && s.scheme != "https" {
		s.scheme = ""
	}
	switch plain := strings.ReplaceAll(host, `\.`, "."); {
	case plain == "(?:www.)?" && len(path) == len("(.*)"): // not the names that begin with www., which would redirect to themselves
		s.hasNot = []conditions{{hostRe: `^www\.`}}
		s.groups = append(s.groups, "{host}{path}{query}")
		return s, true
	case plain == "www." && len(path) == len("(.*)"):
		s.hostRe = `^www\.(.+)$`
		s.groups = append(s.groups, "{1}{path}{query}")
		return s, true
	case host == "([^/]+)":
		s.groups = append(s.groups, "{host}")
	case isName(plain):
		s.hosts = []string{plain}
	case host != "[^/]+":
		return s, false
	}
	return s, s.pathAndQuery(strings.TrimSuffix(path[:len(path)-len("(.*)")], "?"))
}

// pathAndQuery adds the condition on a path that begins with an expression. A last
// group has all that follows, with the query.
func (s *source) pathAndQuery(begin string) bool {
	compiled, err := regexp.Compile("^" + begin)
	switch {
	case err != nil || strings.ContainsAny(begin, "|$"):
		return false
	case begin == "":
		s.groups = append(s.groups, "{path}{query}")
		return true
	case begin == "/":
		s.groups = append(s.groups, restOfPath)
		return true
	}
	s.regexp = "^" + begin + "(.*)$"
	for i := range compiled.NumSubexp() {
		s.groups = append(s.groups, "{"+strconv.Itoa(i+1)+"}")
	}
	s.groups = append(s.groups, "{"+strconv.Itoa(compiled.NumSubexp()+1)+"}{query}")
	return true
}

var redirectGroup = regexp.MustCompile(`\$(?:\{(\d)\}|(\d))`)

// target returns the target of a redirect. A part with the query must be at its end.
func (s source) target(to string) (string, bool) {
	ok := true
	to = redirectGroup.ReplaceAllStringFunc(to, func(v string) string {
		n := int(strings.Trim(v, "${}")[0] - '0')
		if n < 1 || n > len(s.groups) {
			ok = false
			return v
		}
		return s.groups[n-1]
	})
	to = strings.ReplaceAll(to, "/"+restOfPath, "{path}{query}")
	before, _, _ := strings.Cut(to, "{query}")
	return to, ok && !strings.ContainsAny(strings.ReplaceAll(to, schemeMark, ""), "$\x00") && (before == to || before+"{query}" == to)
}

// itself excludes the requests that the redirect would send back to the same URL.
// Traefik does not redirect them.
func (s *source) itself(target string) {
	for _, other := range [][2]string{{"https", "http"}, {"http", "https"}} {
		if len(s.hosts) == 1 && s.scheme == "" && target == other[0]+"://"+s.hosts[0]+"{path}{query}" {
			s.scheme = other[1]
		}
	}
}

func (t *traefik) redirectRegex(m *tree, d draft, next func(draft)) {
	lost := Note{m.at, "redirectRegex", "requests that it redirects would reach the application instead"}
	from, ok := redirectSource(m.str("regex"))
	target, can := from.target(m.str("replacement"))
	changed := d.strip+d.add+d.rewrite[0]+d.fixed+d.regexp != ""
	if !ok || !can || !leads(target) || changed && from.regexp+from.hostRe != "" {
		t.refuse(lost.Where, lost.What, lost.Text)
		next(d)
		return
	}
	from.itself(target)
	if plain, secure := t.plain(d); from.scheme != "" && plain != secure {
		if plain != (from.scheme == "http") {
			next(d)
			return
		}
		from.scheme = "" // all schemes match
	}
	t.split(d, []term{{from.conditions, from.hasNot}}, lost, func(d draft) { t.redirects(target, m.on("permanent"), d) }, next)
}

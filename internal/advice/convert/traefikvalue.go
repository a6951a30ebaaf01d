package convert

import (
	"net/http"
	"regexp"
	"strings"
)

// hostVariable matches {name} or {name:expression} of version 2. Version 3 has plain
// expressions, in which {2,3} is a count.
var hostVariable = regexp.MustCompile(`\{[A-Za-z_][\w-]*(?::([^{}]*(?:\{[^{}]*\}[^{}]*)*))?\}`)

// hostPatterns returns the terms of HostRegexp. Whole subdomains become names with a
// wildcard, which routes find faster; all others stay expressions.
func hostPatterns(patterns []string) (all []term, ok bool) {
	for _, a := range patterns {
		switch name, plain := hostOf(a); {
		case plain && name == "*":
			return []term{{}}, true
		case plain:
			some, ok := hostTerms([]string{name})
			if !ok {
				return nil, false
			}
			all = append(all, some...)
		default:
			re, ok := expression(filled(hostVariable, a, `[^.]+`, true), false)
			if !ok {
				return nil, false
			}
			all = append(all, term{has: conditions{hostRe: re}})
		}
	}
	return all, true
}

// hostOf returns the name, perhaps with a wildcard, that an expression stands for; "*"
// for all names. An expression without anchors matches other names too.
func hostOf(pattern string) (string, bool) {
	text := filled(hostVariable, pattern, "[^.]+", true)
	text, ends := strings.CutSuffix(text, "$")
	text, begins := strings.CutPrefix(text, "^")
	text = strings.Replace(strings.Replace(text, "(?:.+)", ".+", 1), "(?:.*)", ".*", 1)
	if text == ".+" || text == ".*" {
		return "*", true
	}
	rest, wild := strings.CutPrefix(text, ".+")
	name := strings.ReplaceAll(rest, `\.`, ".")
	bare := strings.TrimPrefix(name, ".")
	if !ends || !begins && !wild || strings.Contains(strings.ReplaceAll(rest, `\.`, ""), ".") || !isName(bare) || wild != strings.HasPrefix(name, ".") {
		return "", false
	}
	return map[bool]string{true: "*"}[wild] + name, true
}

// ofVersion2 turns version 2's patterns for hosts into expressions.
func (r *rule) ofVersion2() {
	for i, a := range r.args {
		if r.name == "HostRegexp" && !hostVariable.MatchString(a) {
			r.args[i] = "^" + regexp.QuoteMeta(a) + "$"
		}
	}
	for _, p := range r.parts {
		p.ofVersion2()
	}
}

// filled returns a pattern with version 2's variables as an expression. With whole, the
// expression matches to the end. A text without variables stays as it is.
func filled(variables *regexp.Regexp, pattern, standard string, whole bool) string {
	found := variables.FindAllStringSubmatchIndex(pattern, -1)
	if len(found) == 0 {
		return pattern
	}
	text, last := "^", 0
	for _, m := range found {
		text += regexp.QuoteMeta(pattern[last:m[0]])
		if m[2] >= 0 {
			text += "(?:" + pattern[m[2]:m[3]] + ")"
		} else {
			text += standard
		}
		last = m[1]
	}
	text += regexp.QuoteMeta(pattern[last:])
	if whole {
		text += "$"
	}
	return text
}

// field returns the terms of Header, Headers, HeaderRegexp and HeadersRegexp.
func (r *rule) field() ([]term, bool) {
	if len(r.args) != 2 || !isToken(r.args[0]) || strings.EqualFold(r.args[0], "Host") {
		return nil, false
	}
	name, value := http.CanonicalHeaderKey(r.args[0]), r.args[1]
	c, ok := conditions{}, true
	switch {
	case strings.HasSuffix(r.name, "Regexp"):
		var re string
		re, ok = expression(value, false)
		c.ask(askHeaderRegexp, name, re)
	default:
		c.valued(askHeaderRegexp, name, value)
	}
	return []term{{has: c}}, ok && isValue(value)
}

// valued adds the condition on a value of a header, a parameter or a cookie. A value
// that a route would trim, or take for "any", becomes an expression under key.
func (c *conditions) valued(key, name, value string) {
	switch {
	case value == "" || value == "*" || strings.TrimSpace(value) != value || !isValue(value):
		c.ask(key, name, "^"+regexp.QuoteMeta(value)+"$")
	case key == askHeaderRegexp:
		c.headers = with(c.headers, name, value)
	case key == askCookieRegexp:
		c.ask(askCookie, name, value)
	default:
		c.ask(askQuery, name, value)
	}
}

// parameters returns the terms of Query and QueryRegexp. Version 3 has a name and a
// value, which is empty if absent. Version 2 has texts "name=value", which must all
// hold.
func (r *rule) parameters() ([]term, bool) {
	c := conditions{}
	if !strings.Contains(r.args[0], "=") {
		value := strings.Join(r.args[1:], "")
		switch {
		case len(r.args) > 2 || !isParameter(r.args[0]):
			return nil, false
		case r.name == "QueryRegexp" && len(r.args) == 2:
			re, ok := expression(value, false)
			c.ask(askQueryRegexp, r.args[0], re)
			return []term{{has: c}}, ok
		}
		c.valued(askQueryRegexp, r.args[0], value)
		return []term{{has: c}}, true
	}
	for _, a := range r.args {
		name, value, found := strings.Cut(a, "=")
		_, twice := c.asked[asked{askQuery, name}]
		if !found || !isParameter(name) || twice || r.name != "Query" {
			return nil, false
		}
		switch {
		case value == "":
			c.ask(askQuery, name, "*")
		case variablePart.MatchString(value):
			re, ok := expression(filled(variablePart, value, ".*", true), false)
			if !ok {
				return nil, false
			}
			c.ask(askQueryRegexp, name, re)
		default:
			c.valued(askQueryRegexp, name, value)
		}
	}
	return []term{{has: c}}, true
}

// isParameter reports whether a route can have a condition on a parameter with this
// name.
func isParameter(name string) bool {
	return name != "" && isValue(name) && !strings.ContainsAny(name, " :/=&?#%+{}\t") && !strings.ContainsFunc(name, func(r rune) bool { return r > '~' })
}

package convert

import (
	"regexp"
	"slices"
	"strings"
)

// condition reads the condition of an "if".
func condition(args []string) (g guard, ok bool) {
	if len(args) == 1 {
		ok = isSet(args[0], &g)
		return g, ok
	}
	if len(args) != 3 {
		return g, false
	}
	variable, op, value := args[0], args[1], args[2]
	op, g.not = strings.TrimPrefix(op, "!"), strings.HasPrefix(op, "!")
	if strings.Contains(value, "$") && op == "=" {
		return g, false
	}
	switch op {
	case "=":
		ok = equal(variable, value, &g)
	case "~", "~*":
		ok = similar(variable, value, op == "~*", &g)
	}
	return g, ok
}

// isSet adds the condition that a variable is neither empty nor 0.
func isSet(variable string, g *guard) bool {
	key, name, ok := valued(variable)
	if ok {
		g.ask(key+"_regexp", name, "(?s)^(?:[^0]|0.)")
	}
	return ok
}

// valued returns the condition for a variable: the beginning of the key of match with
// an expression, and a name.
func valued(variable string) (key, name string, ok bool) {
	if name, ok = strings.CutPrefix(variable, "$arg_"); ok {
		return "query", name, isToken(name)
	}
	if name, ok = strings.CutPrefix(variable, "$cookie_"); ok {
		return "cookie", name, isToken(name)
	}
	if name, ok = strings.CutPrefix(variable, "$http_"); ok {
		return "header", strings.ReplaceAll(name, "_", "-"), isToken(name) && !strings.EqualFold(name, "host")
	}
	return "", "", false
}

func equal(variable, value string, g *guard) bool {
	switch {
	case variable == "$host" || variable == "$http_host":
		g.hosts = []string{value}
		return isName(value)
	case variable == "$scheme":
		g.scheme = value
		return value == "http" || value == "https"
	case variable == "$https" && (value == "on" || value == ""):
		g.scheme = map[bool]string{true: "https", false: "http"}[value == "on"]
		return true
	case variable == "$request_method":
		g.methods = []string{value}
		return isMethod(value)
	case variable == "$remote_addr":
		net, ok := network(value)
		g.clients = []string{net}
		return ok
	case variable == "$uri" || variable == "$document_uri":
		return g.exactly(value)
	}
	return equalValue(variable, value, g)
}

// equalValue adds the condition that a header, parameter or cookie has a value. For
// nginx, an absent one is empty.
func equalValue(variable, value string, g *guard) bool {
	key, name, ok := valued(variable)
	switch {
	case !ok:
		return false
	case value == "":
		g.not = !g.not
		g.ask(key+"_regexp", name, "(?s).")
	case value == "*" || strings.TrimSpace(value) != value || !isValue(value):
		g.ask(key+"_regexp", name, "^"+regexp.QuoteMeta(value)+"$")
	case key == "header":
		g.headers = map[string]string{name: value}
	case key == "cookie":
		g.ask(askCookie, name, value)
	default:
		g.ask(askQuery, name, value)
	}
	return true
}

// exactly adds the condition on one path.
func (c *conditions) exactly(path string) bool {
	if !isPath(path) {
		c.regexp = "^" + regexp.QuoteMeta(path) + "$"
		return strings.HasPrefix(path, "/")
	}
	c.path = path
	return true
}

// isPath reports whether match.path accepts a path.
func isPath(s string) bool {
	return strings.HasPrefix(s, "/") && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune("?#*", r) })
}

func isMethod(s string) bool {
	return s != "" && len(s) < 30 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_") == ""
}

func similar(variable, value string, anyCase bool, g *guard) bool {
	switch variable {
	case "$host":
		re, ok := expression(value, anyCase)
		g.hostRe = re
		return ok
	case "$request_method":
		words := strings.TrimSuffix(strings.TrimPrefix(value, "^"), "$")
		whole := len(words) == len(value)-2
		words = strings.TrimSuffix(strings.TrimPrefix(words, "("), ")")
		g.methods = strings.Split(words, "|")
		return (whole || !slices.ContainsFunc(g.methods, func(m string) bool { return len(m) < 3 })) && !slices.ContainsFunc(g.methods, func(m string) bool { return !isMethod(m) })
	case "$uri", "$document_uri":
		re, ok := expression(value, anyCase)
		g.regexp = re
		return ok
	case "$args", "$query_string":
		return !anyCase && parameter(value, g)
	case "$request_uri": // it includes the query, so an end or a ? in the expression may refer to the query
		re, ok := expression(value, anyCase)
		g.regexp = re
		return ok && strings.HasPrefix(value, "^/") && !strings.ContainsAny(value, "$?%=&|")
	}
	key, name, ok := valued(variable)
	re, reads := expression(value, anyCase)
	if !ok || !reads || regexp.MustCompile(re).MatchString("") && !g.not {
		return false // it also matches an absent parameter
	}
	g.ask(key+"_regexp", name, re)
	return !regexp.MustCompile(re).MatchString("")
}

// oneParameter matches an expression for one parameter of a query, with one value or
// any.
var oneParameter = regexp.MustCompile(`^(?:\(\^\|&\)|\((?:\?:)?(?:\^\|&|&\|\^)\))([\w-]+)=(?:([\w.-]+|\[[\w-]+\][+*]|\\[dw][+*])\((?:\?:)?(?:&\|\$|\$\|&)\))?$`)

// parameter adds the condition of an expression on the whole query, if it is about one
// parameter.
func parameter(text string, g *guard) bool {
	m := oneParameter.FindStringSubmatch(text)
	switch {
	case m == nil:
		return false
	case m[2] == "": // nginx, too, requires = after the name
		g.ask(askQuery, m[1], "*")
		return !g.not
	case strings.ContainsAny(m[2], `\[.`):
		g.ask(askQueryRegexp, m[1], "^"+m[2]+"$")
	default:
		g.ask(askQuery, m[1], m[2])
	}
	return true
}

// expression returns a PCRE expression in RE2's syntax. ok is false if that is
// impossible.
func expression(text string, anyCase bool) (re string, ok bool) {
	if anyCase {
		text = "(?i)" + text
	}
	if text == "" || len(text) > 4096 {
		return "", false
	}
	_, err := regexp.Compile(text)
	return text, err == nil
}

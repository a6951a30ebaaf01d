package convert

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goodgate/goodgate/internal/vars"
)

// placeholder matches a variable of Caddy.
var placeholder = regexp.MustCompile(`\{[\w$-]+\.[^{}\s]*\}`)

// shortName matches what may be a variable in a Caddyfile.
var shortName = regexp.MustCompile(`\{[\w?$]+\}`)

// caddyVariables maps Caddy's variables to goodgate's.
var caddyVariables = map[string]string{
	"remote.host": "{client_ip}", "host": "{hostname}", "hostport": "{host}", "scheme": "{scheme}", "method": "{method}", "orig_method": "{method}", "uuid": "{request_id}",
	"remote.port": "{client_port}", "local.port": "{server_port}", "proto": "{protocol}", "tls.server_name": "{tls.server_name}", "tls.proto": "{tls.protocol}", "tls.resumed": "{tls.resumed}",
	"tls.client.subject": "{tls.client.subject}", "tls.client.issuer": "{tls.client.issuer}", "tls.client.fingerprint": "{tls.client.fingerprint}",
	"orig_uri": "{uri}", "orig_uri.path": "{path}", "orig_uri.query": "{args}", "orig_uri.prefixed_query": "{query}",
}

// ofPath are the variables that follow changes of the path in Caddy, but not in
// goodgate.
var ofPath = map[string]string{"uri": "{uri}", "uri.path": "{path}", "uri.query": "{args}", "uri.prefixed_query": "{query}"}

// fill replaces Caddy's variables by goodgate's. ok is false if goodgate lacks one.
// Other text in braces stays, unless goodgate would take it for a variable.
func (d *draft) fill(text string) (filled string, ok bool) {
	plain := placeholder.ReplaceAllString(text, "")
	ok = vars.Literal(plain) && !shortName.MatchString(plain)
	return placeholder.ReplaceAllStringFunc(text, func(v string) string {
		to, known := d.variable(strings.Trim(v, "{}"))
		ok = ok && known
		return to
	}), ok
}

func (d *draft) variable(name string) (string, bool) {
	if name == "http.vars.client_ip" {
		return "{client_ip}", true
	}
	if m := capture.FindStringSubmatch("{" + name + "}"); m != nil {
		return d.captured(m[1], m[2])
	}
	name, request := strings.CutPrefix(name, "http.request.")
	if !request {
		return "", false
	}
	if to, ok := caddyVariables[name]; ok {
		return to, true
	}
	if to, ok := ofPath[name]; ok {
		return to, d.strip+d.add+d.rewrite[0] == ""
	}
	for _, p := range [][2]string{{"uri.query.", "{query:"}, {"orig_uri.query.", "{query:"}, {"cookie.", "{cookie:"}, {"header.", "{header:"}} {
		if rest, ok := strings.CutPrefix(name, p[0]); ok {
			return p[1] + rest + "}", p[0] == "uri.query." && isParameter(rest) || isToken(rest)
		}
	}
	return "", false
}

// captured returns the variable for a group of a named expression, if the expression is
// the one of the route.
func (d *draft) captured(name, group string) (string, bool) {
	groups := groupsOf(d.regexp)
	if d.captures[name] != d.regexp || len(groups) == 0 {
		return "", false
	}
	n, err := strconv.Atoi(group)
	if err != nil {
		n = slices.Index(groups, group)
	}
	return "{" + strconv.Itoa(n) + "}", n > 0 && n < 10 && n < len(groups)
}

// target returns the target of a redirect in goodgate's form.
func (d *draft) target(text string) (string, bool) {
	to, ok := d.fill(text)
	to = strings.NewReplacer("{uri}", "{path}{query}", "{scheme}", schemeMark).Replace(to)
	return to, ok && leads(to)
}

// value returns the value of a header in goodgate's form.
func (d *draft) value(text string) (string, bool) {
	to, ok := d.fill(text)
	return to, ok && isValue(to)
}

// plainValue reports whether a value has no variable.
func plainValue(s string) bool { return isValue(s) && !strings.Contains(s, "{") }

package convert

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/goodgate/goodgate/internal/vars"
)

// fetched matches a sample of a request: hdr(name), url_param(name) or cook(name), with
// its match method and converters.
var fetched = regexp.MustCompile(`^(hdr|fhdr|url_param|urlp|cook)(?:_(beg|end|sub|reg|dom))?\(([^(),]+)\)((?:,(?:lower|url_dec|host_only|field\(1,:\)))*)$`)

// fields reads tests of the host, other headers, parameters and cookies.
func fields(what, how string, values []string, anyCase, strict bool) (either []conditions, ok bool) {
	m := fetched.FindStringSubmatch(what)
	if m == nil {
		return nil, false
	}
	t := fieldTest{kind: m[1], name: m[3], how: m[2], anyCase: anyCase, strict: strict}
	if how != "" && how != "str" {
		t.how = how
	}
	isHost := strings.HasSuffix(t.kind, "hdr") && strings.EqualFold(t.name, "host")
	for converter := range strings.SplitSeq(strings.TrimPrefix(m[4], ","), ",") {
		switch {
		case converter == "lower":
			if slices.ContainsFunc(values, func(v string) bool { return v != strings.ToLower(v) }) {
				return nil, false // it never holds
			}
			t.anyCase = true
		case converter == "" || converter == "url_dec" && strings.HasPrefix(t.kind, "url"):
		case !isHost: // a route's host has no port
			return nil, false
		}
	}
	if t.how == "found" {
		c, ok := t.there()
		return []conditions{c}, ok && len(values) == 0 && !isHost
	}
	for _, v := range values {
		c, ok := t.conditions(v)
		if isHost {
			c, ok = hostTest(t.how, v, t.anyCase)
		}
		if !ok || v == "" {
			return nil, false
		}
		either = append(either, c)
	}
	if len(either) > 1 && isHost && !slices.ContainsFunc(either, func(c conditions) bool { return len(c.hosts) == 0 }) { // one route can have a list of values
		for _, c := range either[1:] {
			either[0].hosts = append(either[0].hosts, c.hosts...)
		}
		either = either[:1]
	}
	return either, len(either) > 0
}

type fieldTest struct {
	kind, name, how string
	anyCase, strict bool
}

// there returns the condition that the value is present.
func (t fieldTest) there() (c conditions, ok bool) {
	switch key := t.key(); key {
	case askHeaderRegexp:
		return conditions{headers: map[string]string{t.name: "*"}}, isToken(t.name)
	case askCookieRegexp:
		c.ask(askCookieRegexp, t.name, "(?s).") // HAProxy does not find an empty cookie
		return c, isToken(t.name)
	}
	c.ask(askQuery, t.name, "*")
	return c, isParameter(t.name)
}

func (t fieldTest) key() string {
	switch t.kind {
	case "cook":
		return askCookieRegexp
	case "url_param", "urlp":
		return askQueryRegexp
	}
	return askHeaderRegexp
}

// conditions returns the condition on a value. hdr tests each part of a header between
// commas; a rule that is not strict may test the whole header.
func (t fieldTest) conditions(value string) (c conditions, ok bool) {
	letters := strings.ToLower(value) != strings.ToUpper(value)
	if _, ok := t.there(); !ok || !isValue(value) {
		return c, false
	}
	if t.how == "" && t.kind == "hdr" && strings.EqualFold(t.name, "Upgrade") && strings.EqualFold(value, "websocket") && !t.strict {
		return conditions{headers: map[string]string{t.name: "*"}}, true // clients send no other value
	}
	list := t.kind == "hdr"
	if t.how == "" && (!t.anyCase || !letters) && (!list || !t.strict) {
		c.valued(t.key(), t.name, value)
		return c, true
	}
	re, ok := matching(t.how, value, list)
	if ok {
		re, ok = expression(re, t.anyCase && letters)
	}
	c.ask(t.key(), t.name, re)
	return c, ok
}

// matching returns the expression for a match method. With list, it matches one value
// between commas.
func matching(how, value string, list bool) (string, bool) {
	begin, end := "^", "$"
	if list {
		begin, end = `(?:^|,)[ \t]*`, `[ \t]*(?:,|$)`
	}
	quoted := regexp.QuoteMeta(value)
	switch how {
	case "":
		return begin + quoted + end, true
	case "beg":
		return begin + quoted, true
	case "end":
		return quoted + end, true
	case "sub":
		return quoted, true
	case "reg":
		return anchored(value, begin, end)
	}
	return "", false
}

// anchored replaces ^ and $ at the ends of an expression. ok is false if the expression
// has them elsewhere.
func anchored(re, begin, end string) (string, bool) {
	if begin == "^" {
		return re, true
	}
	body, begins := strings.CutPrefix(re, "^")
	body, ends := strings.CutSuffix(body, "$")
	tree, err := syntax.Parse(re, syntax.Perl)
	if err != nil || !begins && !ends && !strings.ContainsAny(body, "^$") {
		return re, err == nil
	}
	if tree.Op == syntax.OpAlternate || strings.HasSuffix(body, `\`) || strings.ContainsAny(strings.ReplaceAll(body, "[^", "["), "^$") {
		return "", false
	}
	return map[bool]string{true: begin}[begins] + body + map[bool]string{true: end}[ends], true
}

// hostTest returns the conditions on the host, which routes compare regardless of case.
func hostTest(how, value string, anyCase bool) (c conditions, ok bool) {
	low := strings.ToLower(value)
	quoted := regexp.QuoteMeta(low)
	switch how {
	case "":
		host, _, _ := strings.Cut(value, ":")
		c.hosts = []string{host}
		return c, isName(host)
	case "end":
		if strings.HasPrefix(value, ".") && isName(value[1:]) {
			return conditions{hosts: []string{"*" + value}}, true
		}
		c.hostRe = quoted + "$"
	case "beg":
		c.hostRe = "^" + quoted
	case "sub":
		c.hostRe = quoted
	case "dom":
		c.hostRe = `(?:^|\.)` + quoted + `(?:\.|$)`
	case "reg":
		c.hostRe, ok = expression(value, true)
		return c, ok
	default:
		return c, false
	}
	return c, !strings.Contains(value, ":")
}

// logged matches a variable of a log format: %[sample], %ci, or a %.
var logged = regexp.MustCompile(`%\[([^\[\]]*)\]|%%|%\w+|%`)

// logVariables maps HAProxy's variables to goodgate's. Those in logRequest are available
// only in rules for requests.
var (
	logVariables = map[string]string{
		"src": "{client_ip}", "unique-id": "{request_id}", "capture.req.uri": "{uri}", "capture.req.method": "{method}", "method": "{method}",
		"src_port": "{client_port}", "dst_port": "{server_port}", "ssl_fc_protocol": "{tls.version}", "ssl_fc_sni": "{tls.server_name}", "%HV": "{protocol}", "%cp": "{client_port}", "%fp": "{server_port}",
		"%ci": "{client_ip}", "%ID": "{request_id}", "%HM": "{method}", "%HP": "{path}", "%HQ": "{query}", "%HU": "{uri}", "%%": "%",
	}
	logRequest = map[string]string{"path": "{path}", "query": "{args}", "url": "{uri}", "pathq": "{uri}", "base": "{host}{path}"}
)

// logFormat replaces HAProxy's variables by goodgate's. ok is false if goodgate lacks
// one.
func logFormat(text string, ofRequest bool) (filled string, ok bool) {
	ok = isValue(text) && vars.Literal(text)
	filled = logged.ReplaceAllStringFunc(text, func(v string) string {
		name := strings.TrimSuffix(strings.TrimPrefix(v, "%["), "]")
		if to, known := logVariables[name]; known && (strings.HasPrefix(v, "%[") || name == v) {
			return to
		}
		to, known := logSample(strings.TrimPrefix(name, "req."))
		ok = ok && known && ofRequest && strings.HasPrefix(v, "%[")
		return to
	})
	return filled, ok
}

func logSample(name string) (string, bool) {
	if to, ok := logRequest[name]; ok {
		return to, true
	}
	m := fetched.FindStringSubmatch(name)
	if m == nil || m[2] != "" {
		return "", false
	}
	kind, of, converted := m[1], m[3], strings.TrimPrefix(m[4], ",")
	isHost := strings.HasSuffix(kind, "hdr") && strings.EqualFold(of, "host")
	switch {
	case isHost && converted == "":
		return "{host}", true
	case isHost && (converted == "host_only" || converted == "field(1,:)" || converted == "lower,field(1,:)" || converted == "field(1,:),lower"):
		return "{hostname}", true
	case converted != "":
		return "", false
	case kind == "cook":
		return "{cookie:" + of + "}", isToken(of)
	case kind == "url_param" || kind == "urlp":
		return "{query:" + of + "}", isParameter(of)
	}
	return "{header:" + of + "}", isToken(of)
}

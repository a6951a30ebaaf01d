package convert

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// standardHandlers are Caddy's own handlers. All others come from plugins, and their
// effect is unknown.
var standardHandlers = []string{
	"subroute", "reverse_proxy", "static_response", "headers", "rewrite", "vars", "map", "encode", "file_server", "authentication", "error", "request_body",
	"templates", "push", "tracing", "metrics", "acme_server", "invoke", "log_append", "intercept", "copy_response", "copy_response_headers", "timeouts",
}

// handlers applies the handlers of a route to a draft in turn. Requests that no handler
// answers go to next.
func (c *caddy) handlers(list []*tree, d draft, next func(draft)) {
	if len(list) == 0 {
		next(d)
		return
	}
	h := list[0]
	h.read = true
	c.handler(h, h.str("handler"), d, func(d draft) { c.handlers(list[1:], d, next) })
}

func (c *caddy) handler(h *tree, kind string, d draft, next func(draft)) {
	switch kind {
	case "subroute":
		c.routes(h.all("routes"), d, next)
		for _, r := range h.all("errors", "routes") {
			c.note(r.at, "handle_errors", "left out: goodgate has its own error pages (errors.html, errors.dir)")
		}
		h.get("errors").use()
	case "invoke":
		name := h.str("name")
		if r := c.server.get("named_routes", name); r != nil && c.depth < 50 {
			c.routes([]*tree{r}, d, next)
		} else {
			c.refuse(h.at, "invoke", "the route "+name+" does not exist, so its restrictions would be lost")
			next(d)
		}
	case "reverse_proxy":
		c.proxy(h, d)
	case "static_response":
		c.respond(h, d)
	case "error":
		d.pool, d.answer = "", answer{respond: true, status: statusOf(h, 500)}
		h.use()
		c.add(d.route)
	case "headers":
		c.headers(h, c.what([]*tree{h}), &d)
		next(d)
	case "rewrite":
		c.rewrite(h, &d)
		next(d)
	case "request_body":
		d.maxBody = bytesOf(h.str("max_size"))
		h.use()
		next(d)
	case "file_server", "acme_server", "metrics":
		why := map[string]string{"file_server": "it serves no files; keep Caddy for them", "acme_server": "it issues no certificates", "metrics": "see admin for its own metrics"}[kind]
		c.note(h.at, kind, "goodgate answers 404 instead: %s", why)
		h.use()
		d.pool, d.answer = "", answer{respond: true, status: 404}
		c.add(d.route)
	case "authentication":
		c.authentication(h, &d)
		next(d)
	case askingHandler:
		c.forwardAuth(h, &d)
		next(d)
	case "encode":
		c.encode(h, &d)
		next(d)
	case "vars":
		d.unlogged = d.unlogged || h.on("log_skip")
		c.passed(h, kind)
		next(d)
	default:
		c.passed(h, kind)
		next(d)
	}
}

// passed notes that a handler without an equivalent is left out. It refuses handlers of
// plugins, whose effect is unknown.
func (c *caddy) passed(h *tree, kind string) {
	what := c.what([]*tree{h})
	switch {
	case kind == "vars" && !slices.ContainsFunc(h.keys, func(k string) bool {
		return !slices.Contains([]string{"handler", "root", "@directive", "log_skip", "fs"}, k)
	}):
		// about files and logs
	case !slices.Contains(standardHandlers, kind):
		c.refuse(h.at, what, "it is not part of Caddy itself, so convert does not know what would be lost")
	default:
		c.note(h.at, what, "left out: goodgate has no equivalent")
	}
	h.use()
}

func statusOf(h *tree, standard int) int {
	n, err := strconv.Atoi(h.str("status_code"))
	if err != nil || n < 200 || n > 599 {
		return standard
	}
	return n
}

// respond converts a fixed answer, or a redirect.
func (c *caddy) respond(h *tree, d draft) {
	defer h.use()
	what := c.what([]*tree{h})
	d.pool = ""
	if h.on("abort") {
		c.note(h.at, what, "goodgate answers 403; Caddy closes the connection")
		d.answer = answer{respond: true, status: 403}
		c.add(d.route)
		return
	}
	status := statusOf(h, 200)
	body := h.str("body")
	d.answer = answer{respond: true, status: status, body: body}
	location, known := "", false
	for _, name := range h.names("headers") {
		text := strings.Join(h.strs("headers", name), ", ")
		value, ok := d.value(text)
		switch {
		case strings.EqualFold(name, "Location"):
			location = text
		case strings.EqualFold(name, "Content-Type") && isLiteral(text) && value == text:
			d.kind = value
		case isField(name) && ok:
			d.setResponse = with(d.setResponse, name, value)
		default:
			c.note(h.at, what+" "+name, "left out: its value has a variable that goodgate lacks, or goodgate cannot set this header")
		}
	}
	if location != "" {
		c.redirected(h, what, location, status, d)
		return
	}
	if d.body, known = d.fill(body); !known {
		c.note(h.at, what, "the body is left out: it has a variable that goodgate lacks")
		d.body = ""
	}
	if d.body != "" && d.kind == "" {
		d.kind = "text/plain; charset=utf-8"
		if t := strings.TrimSpace(d.body); (strings.HasPrefix(t, "{") || strings.HasPrefix(t, "[")) && json.Valid([]byte(t)) {
			d.kind = "application/json"
		}
	}
	if status == 204 || status == 304 {
		d.body, d.kind = "", ""
	}
	if len(d.body) > 1<<20 {
		c.note(h.at, what, "the body is left out: it is too large")
		d.body = ""
	}
	c.add(d.route)
}

func (c *caddy) redirected(h *tree, what, location string, status int, d draft) {
	to, ok := d.target(location)
	if !ok || !slices.Contains([]int{301, 302, 303, 307, 308}, status) {
		c.note(h.at, what+" "+location, "goodgate cannot build this target and answers 404")
		d.answer = answer{respond: true, status: 404}
	} else {
		d.answer = answer{redirect: to, status: status}
	}
	c.add(d.route)
}

// headers converts changes of request and response headers.
func (c *caddy) headers(h *tree, what string, d *draft) {
	defer h.use()
	c.requestFields(h.get("request"), what, d)
	ops := h.get("response")
	if ops == nil {
		return
	}
	defaults := ops.get("require") != nil
	for _, op := range []string{"set", "add"} {
		for _, name := range ops.names(op) {
			value, ok := d.value(strings.Join(ops.strs(op, name), ", "))
			if defaults || !ok || !isField(name) {
				c.missingField(ops.at, what, name, map[bool]string{true: "goodgate cannot set a header on some responses only", false: "its value has a variable that goodgate lacks, or goodgate cannot set this header"}[defaults])
				continue
			}
			if op == "set" {
				d.setResponse = with(d.setResponse, name, value)
				d.addResponse = without(d.addResponse, name)
			} else {
				d.addResponse = with(d.addResponse, name, value)
			}
		}
	}
	for _, name := range ops.strs("delete") {
		if defaults || !isField(name) || strings.Contains(name, "*") {
			c.refuse(ops.at, what, "clients would get the header "+name)
			continue
		}
		d.dropResponse = withWord(d.dropResponse, name)
		d.setResponse, d.addResponse = without(d.setResponse, name), without(d.addResponse, name)
	}
	for _, name := range ops.names("replace") {
		c.missingField(ops.at, what, name, "goodgate cannot replace a part of a value")
	}
}

// missingField notes that a response header is left out. It refuses a header that
// protects browsers.
func (c *caddy) missingField(at, what, name, why string) {
	if protectsBrowser(name) {
		c.refuse(at, what, why+", so browsers would lose the protection of "+name)
	} else {
		c.note(at, what+" "+name, "left out: %s", why)
	}
}

// protectsBrowser reports whether a response header restricts what browsers do.
func protectsBrowser(name string) bool {
	return slices.Contains([]string{"Strict-Transport-Security", "Content-Security-Policy", "X-Frame-Options", "X-Content-Type-Options", "Referrer-Policy", "Permissions-Policy",
		"Cross-Origin-Opener-Policy", "Cross-Origin-Resource-Policy", "Cross-Origin-Embedder-Policy", "X-Xss-Protection"}, http.CanonicalHeaderKey(name))
}

// withWord adds a word to a list that does not have it yet.
func withWord(list []string, word string) []string {
	if slices.Contains(list, word) {
		return list
	}
	return append(slices.Clone(list), word)
}

func without(m map[string]string, name string) map[string]string {
	out := map[string]string{}
	for k, v := range m {
		if !strings.EqualFold(k, name) {
			out[k] = v
		}
	}
	return out
}

func (c *caddy) requestFields(ops *tree, what string, d *draft) {
	for _, op := range []string{"set", "add"} {
		for _, name := range ops.names(op) {
			text := strings.Join(ops.strs(op, name), ", ")
			value, ok := d.value(text)
			switch {
			case strings.EqualFold(name, "Host"):
				c.hostField(ops.at, what, strings.Join(ops.strs(op, name), ""), d)
			case text == "{http.auth.user.id}" && op == "set" && d.names(name):
				// access.basic sends it
			case bySelf(name) && (strings.Contains(value, "{") || !isField(name)):
				// goodgate always sends these
			case ok && isField(name) && op == "set":
				d.setRequest = with(d.setRequest, name, value)
			case ok && isField(name):
				d.addRequest = with(d.addRequest, name, value)
			case isField(name):
				d.dropRequest = withWord(d.dropRequest, name)
				c.note(ops.at, what+" "+name, "left out: its value has a variable that goodgate lacks. goodgate removes this header from requests, so that no client can forge it")
			default:
				c.note(ops.at, what+" "+name, "left out: goodgate cannot set this header")
			}
		}
	}
	for _, name := range ops.strs("delete") {
		switch {
		case isField(name) && !strings.Contains(name, "*"):
			d.dropRequest = withWord(d.dropRequest, name)
			d.setRequest, d.addRequest = without(d.setRequest, name), without(d.addRequest, name)
		case bySelf(name):
			c.note(ops.at, what+" -"+name, "not removed: goodgate always sends it")
		default:
			c.refuse(ops.at, what, "upstreams would get the client's header "+name)
		}
	}
	for _, name := range ops.names("replace") {
		c.note(ops.at, what+" "+name, "left out: goodgate cannot replace a part of a value")
	}
}

func (c *caddy) hostField(at, what, value string, d *draft) {
	switch {
	case value == "{http.request.host}" || value == "{http.request.hostport}":
		d.host = "keep"
	case strings.HasPrefix(value, "{http.reverse_proxy.upstream."):
		d.host = "upstream"
	case isUpstream("http://" + value):
		d.host = value
	default:
		c.note(at, what+" Host", "left out, and upstreams get the client's Host: the value is not a host name, or has a variable that goodgate lacks")
	}
}

// rewrite converts a change of the path. Conditions of later matchers apply to the new
// path.
func (c *caddy) rewrite(h *tree, d *draft) {
	defer h.use()
	what := c.what([]*tree{h})
	say := func(text string) {
		c.note(h.at, strings.TrimSpace(what+" "+text), "left out: goodgate has no equivalent (see rewrite_path)")
	}
	if m := h.str("method"); m != "" {
		say("method " + m)
	}
	if p := h.str("strip_path_prefix"); p != "" && !d.stripped(p) {
		say("strip_prefix " + p)
	}
	if p := h.str("strip_path_suffix"); p != "" && !d.replaced("^/(.*)"+regexp.QuoteMeta(p)+"$", "/${1}") {
		say("strip_suffix " + p)
	}
	for _, s := range h.all("uri_substring") {
		say("replace " + s.str("find"))
	}
	for _, p := range h.all("path_regexp") {
		find := p.str("find")
		re, err := regexp.Compile(find)
		if err != nil || !strings.HasPrefix(find, "^/") || strings.Contains(find, "|") || strings.HasSuffix(find, "$") ||
			!d.replaced(find+"(.*)$", numbered(p.str("replace"))+"${"+strconv.Itoa(re.NumSubexp()+1)+"}") {
			say("path_regexp " + find)
		}
	}
	if h.get("query") != nil {
		say("query")
	}
	if uri := h.str("uri"); uri != "" && !c.rewritten(uri, d) {
		say(uri)
	}
}

var part = regexp.MustCompile(`\$(?:\{(\w+)\}|(\w+))`)

// numbered writes $1 as ${1}.
func numbered(text string) string { return part.ReplaceAllString(text, "$${$1$2}") }

var capture = regexp.MustCompile(`\{http\.regexp\.(?:([\w-]+)\.)?(\w+)\}`)

// rewritten applies a rewrite to the path of a draft.
func (c *caddy) rewritten(uri string, d *draft) bool {
	path, query, _ := strings.Cut(uri, "?")
	if query != "" && query != "{http.request.uri.query}" {
		return false
	}
	path = strings.TrimSuffix(path, "{http.request.uri.prefixed_query}")
	for _, all := range []string{"{http.request.uri}", "{http.request.uri.path}"} {
		if prefix, ok := strings.CutSuffix(path, all); ok && !strings.Contains(prefix, "{") {
			return d.added(prefix)
		}
	}
	if m := capture.FindStringSubmatch(path); m != nil {
		re := d.captures[m[1]]
		to := capture.ReplaceAllString(strings.ReplaceAll(path, "$", "$$"), "$${$2}")
		rest := capture.ReplaceAllString(path, "")
		if re == "" || strings.Contains(rest, "{") || d.strip != "" || d.add != "" || !d.replaced(re, to) {
			return false
		}
		d.begins, _, _ = strings.Cut(path, "{")
		return true
	}
	return !strings.Contains(path, "{") && d.to(path)
}

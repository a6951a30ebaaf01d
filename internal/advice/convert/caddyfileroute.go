package convert

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/goodgate/goodgate/internal/advice/caddyfile"
)

// caddyOrder is the order in which Caddy runs directives, independent of their order in
// the file.
var caddyOrder = []string{
	"tracing", "map", "vars", "fs", "root", "log_append", "skip_log", "log_skip", "log_name", "log_level", "header", "copy_response_headers", "request_body", "timeouts",
	"redir", "method", "rewrite", "uri", "try_files", "basicauth", "basic_auth", "forward_auth", "request_header", "encode", "push", "intercept", "templates",
	"invoke", "handle", "handle_path", "route", "abort", "error", "copy_response", "respond", "metrics", "reverse_proxy", "php_fastcgi", "file_server", "acme_server",
}

// ordered is the route of a directive, with the keys of Caddy's sort order.
type ordered struct {
	name  string
	route *tree
}

// matchers holds the named matchers of a block and of the blocks around it.
type matchers map[string]*tree

// block builds the routes of a block, in Caddy's sort order or in the order of the
// file.
func (a *adapter) block(list []*caddyfile.Directive, sorted bool, outer matchers) []*tree {
	known := matchers{}
	maps.Copy(known, outer)
	for _, d := range list {
		if strings.HasPrefix(d.Name, "@") {
			known[d.Name] = a.named(d)
		}
	}
	var all []ordered
	for _, d := range list {
		if strings.HasPrefix(d.Name, "@") {
			continue
		}
		if d.Name == "handle_errors" && a.errorPages(d, list) {
			continue
		}
		for _, r := range a.directive(d, known) {
			name := d.Name
			if name == "handle_path" {
				name = "handle"
			}
			all = append(all, ordered{name, r})
		}
	}
	if sorted {
		slices.SortStableFunc(all, a.compare)
	}
	for _, name := range []string{"handle", "rewrite", "root"} { // only the first of these that matches runs
		a.groups++
		for _, o := range all {
			if o.name == name {
				o.route.set("group", &tree{text: "group" + strconv.Itoa(a.groups)})
			}
		}
	}
	var routes []*tree
	for _, o := range all {
		routes = append(routes, o.route)
	}
	return routes
}

// compare orders directives, and those with the same name by their paths, longest
// first.
func (a *adapter) compare(x, y ordered) int {
	if x.name != y.name {
		return a.position(x.name) - a.position(y.name)
	}
	xp, xs := onePath(x.route)
	yp, ys := onePath(y.route)
	if xp == "" || yp == "" {
		return map[bool]int{true: 0, false: 1}[xs] - map[bool]int{true: 0, false: 1}[ys]
	}
	xt, yt := strings.TrimSuffix(xp, "*"), strings.TrimSuffix(yp, "*")
	if xt == yt {
		return len(xp) - len(yp)
	}
	return cmp.Or(len(yt)-len(xt), strings.Compare(xt, yt))
}

func (a *adapter) position(name string) int {
	if i := slices.Index(a.order, name); i >= 0 {
		return i
	}
	return -1 // unknown directives run first, so that convert does not take them for unreachable
}

// onePath returns the path of a route with one matcher set that has one path, else "".
// asks reports whether the route has any condition.
func onePath(r *tree) (path string, asks bool) {
	m := r.of["match"]
	if m == nil || len(m.items) == 0 {
		return "", false
	}
	if p := m.items[0].of["path"]; len(m.items) == 1 && p != nil && len(p.items) == 1 {
		path = p.items[0].text
	}
	return path, true
}

// matched splits the matcher from the arguments of a directive.
func (a *adapter) matched(d *caddyfile.Directive, known matchers) (match []*tree, args []string) {
	args = long(d.Args)
	if len(args) == 0 {
		return nil, args
	}
	switch first := args[0]; {
	case first == "*":
		return nil, args[1:]
	case strings.HasPrefix(first, "/"):
		return []*tree{object(d.At, "path", []string{first})}, args[1:]
	case strings.HasPrefix(first, "@"):
		m := known[first]
		if m == nil {
			m = object(d.At, "unknown", "true")
		}
		return []*tree{m.copied()}, args[1:]
	}
	return nil, args
}

// copied returns a deep copy, because several routes may have the same matcher.
func (t *tree) copied() *tree {
	out := *t
	out.items, out.of = nil, nil
	for _, in := range t.items {
		out.items = append(out.items, in.copied())
	}
	for k, in := range t.of {
		if out.of == nil {
			out.of = map[string]*tree{}
		}
		out.of[k] = in.copied()
	}
	return &out
}

// directive builds the routes of one directive.
func (a *adapter) directive(d *caddyfile.Directive, known matchers) []*tree {
	match, args := a.matched(d, known)
	route := func(handlers ...*tree) []*tree {
		for _, h := range handlers {
			h.set("@directive", &tree{at: d.At, text: d.Name})
		}
		return []*tree{object(d.At, "match", match, "handle", handlers)}
	}
	handler := func(kind string, pairs ...any) []*tree {
		return route(object(d.At, append([]any{"handler", kind}, pairs...)...))
	}
	if d.Name == "log" && len(d.Block) > 0 && blockArg(d, "output") != "discard" {
		a.note(d.At, d.Name, "left out: goodgate logs all requests to standard error (see log.output, log.format and log.fields)")
	}
	switch d.Name {
	case "tls", "bind", "log", "log_name", "log_level", "root", "fs": // read elsewhere, or only about files and logs
		return nil
	case "handle_errors":
		a.note(d.At, d.Name, "left out: goodgate has its own error pages (errors.html, errors.dir)")
		return nil
	case "handle", "route":
		return handler("subroute", "routes", a.block(d.Block, d.Name == "handle", known))
	case "handle_path":
		return a.handlePath(d, match, known)
	case "reverse_proxy":
		return route(a.reverseProxy(d, args))
	case "php_fastcgi":
		return handler("reverse_proxy", "transport", object(d.At, "protocol", "fastcgi"))
	case "redir", "respond", "abort", "error":
		return route(a.answering(d, args))
	case "rewrite", "uri", "method":
		if d.Name == "rewrite" && len(d.Args) == 1 {
			match, args = nil, long(d.Args)
		}
		return route(a.rewriting(d, args))
	case "header":
		return route(a.fields(d, args, "response")...)
	case "request_header":
		return route(a.fields(d, args, "request")...)
	case "basic_auth", "basicauth":
		return route(a.signIn(d, args))
	case "forward_auth":
		return route(a.asking(d, args))
	case "encode":
		return route(a.encoding(d, args))
	case "request_body":
		return handler("request_body", "max_size", blockArg(d, "max_size"))
	case "invoke":
		return handler("invoke", "name", first(args))
	case "try_files":
		a.note(d.At, d.Name, "left out: goodgate serves no files")
		return nil
	case "skip_log", "log_skip":
		return handler("vars", "log_skip", "true")
	case "vars":
		return handler("vars", "sets", "true")
	case "push", "templates", "tracing", "log_append", "map", "metrics", "acme_server", "intercept", "file_server", "timeouts":
		return handler(d.Name)
	}
	if slices.Contains([]string{"", "import"}, d.Name) {
		return nil
	}
	return handler("unknown " + d.Name)
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// blockArg returns the first argument of a subdirective.
func blockArg(d *caddyfile.Directive, name string) string {
	for _, in := range d.Block {
		if in.Name == name {
			return in.Arg(0)
		}
	}
	return ""
}

func (a *adapter) handlePath(d *caddyfile.Directive, match []*tree, known matchers) []*tree {
	path := d.Arg(0)
	prefix := strings.TrimSuffix(strings.TrimSuffix(path, "*"), "/")
	strip := object(d.At, "handle", []*tree{object(d.At, "handler", "rewrite", "strip_path_prefix", prefix, "@directive", d.Name)})
	inner := append([]*tree{strip}, a.block(d.Block, true, known)...)
	h := object(d.At, "handler", "subroute", "routes", inner, "@directive", d.Name)
	return []*tree{object(d.At, "match", match, "handle", []*tree{h})}
}

// answering builds the JSON of directives with a fixed answer.
func (a *adapter) answering(d *caddyfile.Directive, args []string) *tree {
	switch d.Name {
	case "abort":
		return object(d.At, "handler", "static_response", "abort", "true")
	case "redir":
		code := map[string]string{"permanent": "301", "temporary": "302", "": "302"}[first(args[min(1, len(args)):])]
		if code == "" {
			code = args[1]
		}
		if code == "html" {
			a.note(d.At, "redir", "goodgate answers 302; Caddy sends an HTML page that redirects")
			code = "302"
		}
		return object(d.At, "handler", "static_response", "status_code", code, "headers", object(d.At, "Location", []string{first(args)}))
	}
	kind := map[string]string{"respond": "static_response", "error": "error"}[d.Name]
	body, status := first(args), ""
	isStatus := func(s string) bool { return len(s) == 3 && strings.Trim(s, "0123456789") == "" }
	if len(args) == 1 && isStatus(body) {
		body, status = "", args[0]
	} else if len(args) > 1 {
		status = args[1]
	}
	if b := blockArg(d, "body"); b != "" {
		body = long([]string{b})[0]
	}
	return object(d.At, "handler", kind, "body", body, "status_code", status)
}

// rewriting builds the JSON of directives that change the path.
func (a *adapter) rewriting(d *caddyfile.Directive, args []string) *tree {
	h := object(d.At, "handler", "rewrite")
	put := func(key string, v *tree) *tree { h.set(key, v); return h }
	text := func(i int) *tree {
		if i >= len(args) {
			return &tree{at: d.At}
		}
		return &tree{at: d.At, text: args[i]}
	}
	switch {
	case d.Name == "rewrite":
		return put("uri", text(0))
	case d.Name == "method":
		return put("method", text(0))
	}
	switch first(args) {
	case "strip_prefix":
		return put("strip_path_prefix", text(1))
	case "strip_suffix":
		return put("strip_path_suffix", text(1))
	case "replace":
		return put("uri_substring", &tree{items: []*tree{object(d.At, "find", text(1), "replace", text(2))}})
	case "path_regexp":
		return put("path_regexp", &tree{items: []*tree{object(d.At, "find", text(1), "replace", text(2))}})
	}
	return put("query", text(1))
}

// fields builds the JSON of header changes. Each change has its own handler, because
// some have conditions.
func (a *adapter) fields(d *caddyfile.Directive, args []string, side string) (all []*tree) {
	lines := [][]string{args}
	if d.HasBlock() {
		lines = nil
		for _, in := range d.Block {
			if in.Name != "defer" && in.Name != "match" {
				lines = append(lines, append([]string{in.Name}, long(in.Args)...))
			} else if in.Name == "match" {
				a.note(in.At, d.Name+" match", "left out: goodgate sets these headers on all responses")
			}
		}
	}
	for _, l := range lines {
		if len(l) > 0 {
			ops := object(d.At)
			fieldOp(ops, d.At, l)
			all = append(all, object(d.At, "handler", "headers", side, ops))
		}
	}
	return all
}

// fieldOp adds one change: "+Name value", "-Name", "?Name value", ">Name value", "Name
// value" or "Name find replace".
func fieldOp(ops *tree, at string, words []string) {
	name := strings.TrimSuffix(words[0], ":")
	value := first(words[min(1, len(words)):])
	in := func(op string) *tree {
		if ops.of[op] == nil {
			ops.set(op, object(at))
		}
		return ops.of[op]
	}
	bare := strings.TrimLeft(name, "+-?>")
	switch {
	case len(words) > 2:
		in("replace").set(bare, texts(at, words[1:]))
	case strings.HasPrefix(name, "+"):
		in("add").set(bare, texts(at, []string{value}))
	case strings.HasPrefix(name, "-"):
		if ops.of["delete"] == nil {
			ops.set("delete", texts(at, nil))
		}
		ops.of["delete"].items = append(ops.of["delete"].items, &tree{at: at, text: bare})
	case strings.HasPrefix(name, "?"):
		ops.set("require", object(at, "headers", object(at, bare, "*")))
		in("set").set(bare, texts(at, []string{value}))
	default:
		in("set").set(bare, texts(at, []string{value}))
	}
}

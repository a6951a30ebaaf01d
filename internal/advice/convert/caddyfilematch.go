package convert

import (
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/goodgate/goodgate/internal/advice/caddyfile"
)

// named reads the definition of a named matcher: a line, or a block of lines.
func (a *adapter) named(d *caddyfile.Directive) *tree {
	set := object(d.At)
	if len(d.Args) > 0 {
		a.matcherLine(set, strings.TrimPrefix(d.Name, "@"), &caddyfile.Directive{Name: d.Args[0], Args: d.Args[1:], Block: d.Block, At: d.At})
		return set
	}
	for _, l := range d.Block {
		a.matcherLine(set, strings.TrimPrefix(d.Name, "@"), l)
	}
	return set
}

// matcherLine adds the condition of one line to a set.
func (a *adapter) matcherLine(set *tree, name string, l *caddyfile.Directive) {
	args := long(l.Args)
	join := func(list ...string) {
		if set.of[l.Name] == nil {
			set.set(l.Name, texts(l.At, nil))
		}
		set.of[l.Name].items = append(set.of[l.Name].items, texts(l.At, list).items...)
	}
	switch l.Name {
	case "path", "host", "method":
		if l.Name == "method" {
			for i := range args {
				args[i] = strings.ToUpper(args[i])
			}
		}
		join(args...)
	case "protocol":
		set.set(l.Name, &tree{at: l.At, text: first(args)})
	case "path_regexp":
		pattern := first(args)
		if len(args) > 1 {
			name, pattern = args[0], args[1]
		}
		set.set(l.Name, object(l.At, "name", name, "pattern", pattern))
	case "remote_ip", "client_ip":
		forwarded := slices.Contains(args, "forwarded")
		args = slices.DeleteFunc(args, func(s string) bool { return s == "forwarded" })
		if old := set.of[l.Name]; old != nil {
			args = append(old.strs("ranges"), args...)
		}
		set.set(l.Name, object(l.At, "ranges", args, "forwarded", forwarded))
	case "header":
		a.matcherField(set, l.At, args)
	case "query":
		matcherQuery(set, l.At, args)
	case "header_regexp":
		if len(args) == 2 {
			args = append([]string{name}, args...)
		}
		if len(args) == 3 {
			fields := set.of[l.Name]
			if fields == nil {
				fields = object(l.At)
				set.set(l.Name, fields)
			}
			fields.set(args[1], object(l.At, "name", args[0], "pattern", args[2]))
		}
	case "not":
		inner := object(l.At)
		if len(l.Args) > 0 {
			a.matcherLine(inner, name, &caddyfile.Directive{Name: l.Args[0], Args: l.Args[1:], Block: l.Block, At: l.At})
		}
		for _, in := range l.Block {
			a.matcherLine(inner, name, in)
		}
		if set.of["not"] == nil {
			set.set("not", texts(l.At, nil))
		}
		set.of["not"].items = append(set.of["not"].items, inner)
	default:
		set.set("unknown "+l.Name, object(l.At))
	}
}

// matcherField reads "header Name value" or "header !Name".
func (a *adapter) matcherField(set *tree, at string, args []string) {
	if set.of["header"] == nil {
		set.set("header", object(at))
	}
	fields := set.of["header"]
	name, absent := strings.CutPrefix(first(args), "!")
	name = http.CanonicalHeaderKey(name) // values of one header are alternatives
	switch {
	case name == "":
	case absent:
		fields.set(name, &tree{at: at, null: true})
	default:
		if fields.of[name] == nil {
			fields.set(name, texts(at, nil))
		}
		value := "*"
		if len(args) > 1 {
			value = args[1]
		}
		fields.of[name].items = append(fields.of[name].items, &tree{at: at, text: value})
	}
}

// matcherQuery reads "query a=b c=*". Several values of one parameter are alternatives.
func matcherQuery(set *tree, at string, args []string) {
	if set.of["query"] == nil {
		set.set("query", object(at))
	}
	fields := set.of["query"]
	for _, a := range args {
		name, value, _ := strings.Cut(a, "=")
		if name == "" {
			continue
		}
		if fields.of[name] == nil {
			fields.set(name, texts(at, nil))
		}
		fields.of[name].items = append(fields.of[name].items, &tree{at: at, text: value})
	}
}

// shorthands expands the short names that a Caddyfile has for Caddy's variables.
var shorthands = strings.NewReplacer(
	"{host}", "{http.request.host}", "{hostport}", "{http.request.hostport}", "{port}", "{http.request.port}", "{method}", "{http.request.method}",
	"{orig_uri}", "{http.request.orig_uri}", "{orig_path}", "{http.request.orig_uri.path}", "{orig_?query}", "{http.request.orig_uri.prefixed_query}",
	"{uri}", "{http.request.uri}", "{path}", "{http.request.uri.path}", "{query}", "{http.request.uri.query}", "{?query}", "{http.request.uri.prefixed_query}",
	"{remote}", "{http.request.remote}", "{remote_host}", "{http.request.remote.host}", "{remote_port}", "{http.request.remote.port}", "{scheme}", "{http.request.scheme}",
	"{tls_client_subject}", "{http.request.tls.client.subject}", "{tls_client_issuer}", "{http.request.tls.client.issuer}", "{tls_client_fingerprint}", "{http.request.tls.client.fingerprint}",
	"{uuid}", "{http.request.uuid}", "{client_ip}", "{http.vars.client_ip}", "{upstream_hostport}", "{http.reverse_proxy.upstream.hostport}",
)

var shorthand = regexp.MustCompile(`\{(header|cookie|labels|path|file|query|re|vars|rp|resp|err|tls_\w+)\.?([\w.-]*)\}`)

var longNames = map[string]string{
	"header": "http.request.header", "cookie": "http.request.cookie", "labels": "http.request.host.labels", "path": "http.request.uri.path", "file": "http.request.uri.path.file",
	"query": "http.request.uri.query", "re": "http.regexp", "vars": "http.vars", "rp": "http.reverse_proxy", "resp": "http.intercept", "err": "http.error",
}

// long expands the short names of variables.
func long(args []string) []string {
	out := make([]string, len(args))
	for i, s := range args {
		out[i] = shorthand.ReplaceAllStringFunc(shorthands.Replace(s), func(m string) string {
			parts := shorthand.FindStringSubmatch(m)
			if name, ok := longNames[parts[1]]; ok && parts[2] != "" {
				return "{" + name + "." + parts[2] + "}"
			}
			return m
		})
	}
	return out
}

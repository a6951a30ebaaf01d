package convert

import (
	"fmt"
	"maps"
	"regexp"
	"strings"

	"github.com/goodgate/goodgate/internal/vars"
)

func (r route) write(w *writer) {
	w.line("  - match: %s", r.match())
	switch {
	case r.redirect != "":
		w.line("    redirect: {to: %s, status: %d}", quote(r.redirect), r.status)
	case r.respond && r.kind != "":
		w.line("    respond: {status: %d, body: %s, headers: {Content-Type: %s}}", r.status, quote(r.body), quote(r.kind))
	case r.respond:
		w.line("    respond: {status: %d, body: %s}", r.status, quote(r.body))
	case r.split != "":
		w.line("    split: %s", r.split)
	default:
		w.line("    pool: %s", r.pool)
	}
	if r.pool != "" {
		r.writeUpstream(w)
	}
	w.edits("response_headers", r.setResponse, r.addResponse, r.dropResponse)
	w.edits("error_headers", r.setError, nil, nil)
	if r.access != (access{}) {
		w.line("    access: %s", r.access)
	}
	if r.unlogged {
		w.line("    log: off")
	}
	if r.cors != "" {
		w.line("    cors: %s", r.cors)
	}
	if l := r.limits(); l != "" {
		w.line("    limits: {%s}", l)
	}
}

func (w *writer) edits(key string, set, add map[string]string, remove []string) {
	if text := edits(set, add, remove); text != "" {
		w.line("    %s: {%s}", key, text)
	}
}

func edits(set, add map[string]string, remove []string) string {
	var parts []string
	if len(set) > 0 {
		parts = append(parts, "set: "+mapping(escaped(set)))
	}
	if len(add) > 0 {
		parts = append(parts, "add: "+mapping(escaped(add)))
	}
	if len(remove) > 0 {
		parts = append(parts, "remove: "+list(remove))
	}
	return strings.Join(parts, ", ")
}

// escaped keeps goodgate from taking another program's braces for variables.
func escaped(values map[string]string) map[string]string {
	values = maps.Clone(values)
	for name, v := range values {
		values[name] = vars.Escape(v)
	}
	return values
}

// writeUpstream writes the settings for requests to upstreams and for their answers.
func (r route) writeUpstream(w *writer) {
	for _, kv := range [][2]string{{"strip_prefix", r.strip}, {"add_prefix", r.add}, {"host", r.host}} {
		if kv[1] != "" {
			w.line("    %s: %s", kv[0], quote(kv[1]))
		}
	}
	if r.rewrite[0] != "" {
		w.line("    rewrite_path: {regexp: %s, to: %s}", quote(r.rewrite[0]), quote(r.rewrite[1]))
	}
	w.edits("request_headers", r.setRequest, r.addRequest, r.dropRequest)
	var rewrites []string
	for _, kv := range []struct {
		key  string
		list []rewrite
	}{{"location", r.location}, {"cookie_domain", r.cookieDomain}, {"cookie_path", r.cookiePath}} {
		var entries []string
		for _, e := range kv.list {
			what := map[bool]string{false: "from", true: "regexp"}[e.regexp]
			entries = append(entries, fmt.Sprintf("{%s: %s, to: %s}", what, quote(e.from), quote(vars.Escape(e.to))))
		}
		if len(entries) > 0 {
			rewrites = append(rewrites, kv.key+": ["+strings.Join(entries, ", ")+"]")
		}
	}
	if len(r.cookieFlags) > 0 {
		rewrites = append(rewrites, "cookie_flags: ["+strings.Join(r.cookieFlags, ", ")+"]")
	}
	if len(rewrites) > 0 {
		w.line("    response_rewrites: {%s}", strings.Join(rewrites, ", "))
	}
	if r.fallbackOn != "" {
		w.line("    fallback: {pool: %s, on: %s}", r.fallback, r.fallbackOn)
	} else if r.fallback != "" {
		w.line("    fallback: {pool: %s}", r.fallback)
	}
	if r.cache != "" && r.cache != "true" {
		w.line("    cache: %s", r.cache)
	}
	if r.mirror != "" {
		w.line("    mirror: %s", r.mirror)
	}
	if len(r.intercept) > 0 {
		w.line("    intercept: [%s]", strings.Join(r.intercept, ", "))
	}
	if r.compress != "" {
		w.line("    compress: %s", r.compress)
	}
	if r.retrySafe {
		w.line("    retry_safe: true")
	}
}

func (r route) limits() string {
	var parts []string
	if len(r.rates) > 0 {
		parts = append(parts, "rates: ["+strings.Join(r.rates, ", ")+"]")
	}
	if r.maxRequests > 0 {
		parts = append(parts, fmt.Sprintf("max_requests: %d", r.maxRequests))
	}
	if r.maxBody > 0 {
		parts = append(parts, "max_body: "+size(min(r.maxBody, 1<<40)))
	}
	return strings.Join(parts, ", ")
}

func (c conditions) match() string {
	var parts []string
	c = c.written()
	for _, l := range []struct {
		key  string
		list []string
	}{{"host", c.hosts}, {"listener", c.listeners}, {"client", c.clients}, {"methods", c.methods}} {
		if len(l.list) > 0 {
			parts = append(parts, l.key+": "+list(l.list))
		}
	}
	if c.scheme != "" {
		parts = append(parts, "scheme: "+c.scheme)
	}
	if c.hostRe != "" {
		parts = append(parts, "host_regexp: "+quote(c.hostRe))
	}
	if c.path != "" && c.path != "/*" {
		parts = append(parts, "path: "+quote(c.path))
	}
	if c.regexp != "" {
		parts = append(parts, "path_regexp: "+quote(c.regexp))
	}
	if len(c.headers) > 0 {
		parts = append(parts, "headers: "+mapping(c.headers))
	}
	for _, key := range []string{askHeaderRegexp, askQuery, askQueryRegexp, askCookie, askCookieRegexp} {
		values := map[string]string{}
		for what, value := range c.asked {
			if what.key == key {
				values[what.name] = value
			}
		}
		if len(values) > 0 {
			parts = append(parts, key+": "+mapping(values))
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// written returns the conditions as a route can have them: a path regardless of case
// becomes an expression.
func (c conditions) written() conditions {
	if !c.anyCase || c.regexp != "" || strings.ToUpper(c.path) == c.path {
		return c
	}
	prefix, wild := strings.CutSuffix(c.path, "*")
	c.path, c.regexp = "", "(?i)^"+regexp.QuoteMeta(prefix)+map[bool]string{false: "$"}[wild]
	return c
}

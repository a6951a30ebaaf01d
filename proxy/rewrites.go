package proxy

import (
	"iter"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/goodgate/goodgate/internal/wire/header"
	"github.com/goodgate/goodgate/internal/wire/message"
)

// ResponseRewrites change where an upstream's answers lead a client, for an
// application that does not know under which address its clients see it. Of each
// list the first entry that fits is used. They do what nginx's proxy_redirect,
// proxy_cookie_domain and proxy_cookie_path do.
type ResponseRewrites struct {
	Location     []Rewrite // how the URL in Location and Refresh begins
	CookieDomain []Rewrite // the whole Domain of a cookie, without regard to case and to a dot before it
	CookiePath   []Rewrite // how the Path of a cookie begins
}

// Rewrite puts To where From is.
type Rewrite struct{ From, To string }

// RewritePath makes another path of the decoded one that goes upstream.
type RewritePath struct {
	Regexp *regexp.Regexp
	To     string // of the whole path; $1 or ${name} is a part that matched
}

// of returns what becomes of a path, which is itself when it does not match. The
// result always begins with one slash.
func (p *RewritePath) of(path string) string {
	if p == nil {
		return path
	}
	at := p.Regexp.FindStringSubmatchIndex(path)
	if at == nil {
		return path
	}
	return "/" + strings.TrimLeft(string(p.Regexp.ExpandString(nil, p.To, path, at)), "/")
}

// rewriteHead applies the rewrites to an answer's head.
func (w *ResponseRewrites) rewriteHead(h *header.Head) {
	if w != nil {
		w.apply(h, h.ValuesOf)
	}
}

// rewriteHeader applies the rewrites to an answer's fields.
func (w *ResponseRewrites) rewriteHeader(h http.Header) {
	if w != nil {
		w.apply(h, func(name string) iter.Seq[string] { return slices.Values(h.Values(name)) })
	}
}

func (w *ResponseRewrites) apply(h message.Editor, valuesOf func(string) iter.Seq[string]) {
	edit(h, "Location", valuesOf, func(v string) string { return beginning(w.Location, v) })
	edit(h, "Refresh", valuesOf, w.refresh)
	edit(h, "Set-Cookie", valuesOf, w.cookie)
}

// edit changes the values of a field, which is left alone when none changes.
func edit(h message.Editor, name string, valuesOf func(string) iter.Seq[string], change func(string) string) {
	var values []string
	changed := false
	for v := range valuesOf(name) {
		to := change(v)
		changed = changed || to != v
		values = append(values, to)
	}
	if !changed {
		return
	}
	h.Del(name)
	for _, v := range values {
		h.Add(name, v)
	}
}

// beginning exchanges how a text begins.
func beginning(list []Rewrite, text string) string {
	for _, r := range list {
		if rest, ok := strings.CutPrefix(text, r.From); ok {
			return r.To + rest
		}
	}
	return text
}

// refresh changes the URL in "5; url=http://app/".
func (w *ResponseRewrites) refresh(v string) string {
	i := strings.Index(strings.ToLower(v), "url=")
	if i < 0 {
		return v
	}
	i += len("url=")
	return v[:i] + beginning(w.Location, v[i:])
}

// cookie changes the attributes of a cookie (RFC 6265, section 4.1.1). The rest
// stays as it came.
func (w *ResponseRewrites) cookie(v string) string {
	parts := strings.Split(v, ";")
	for i, part := range parts[1:] {
		name, value, ok := strings.Cut(part, "=")
		value = strings.TrimSpace(value)
		switch {
		case !ok:
			continue
		case strings.EqualFold(strings.TrimSpace(name), "Path"):
			value = beginning(w.CookiePath, value)
		case strings.EqualFold(strings.TrimSpace(name), "Domain"):
			value = w.domain(value)
		default:
			continue
		}
		parts[i+1] = name + "=" + value
	}
	return strings.Join(parts, ";")
}

func (w *ResponseRewrites) domain(name string) string {
	for _, r := range w.CookieDomain {
		if strings.EqualFold(strings.TrimPrefix(name, "."), strings.TrimPrefix(r.From, ".")) {
			return r.To
		}
	}
	return name
}

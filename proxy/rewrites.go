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
// proxy_cookie_domain, proxy_cookie_path and proxy_cookie_flags do.
type ResponseRewrites struct {
	Location     []Rewrite // how the URL in Location and Refresh begins
	CookieDomain []Rewrite // the whole Domain of a cookie, without regard to case and to a dot before it, which stays
	CookiePath   []Rewrite // how the Path of a cookie begins
	CookieFlags  []CookieFlags
	// RestorePrefix undoes the route's StripPrefix and AddPrefix in Location, Refresh and
	// the Path of cookies, where no entry of the lists fits: for an application that does
	// not know its prefix.
	RestorePrefix bool
}

// Rewrite puts To where From is, or in place of the whole of what Regexp matches in.
type Rewrite struct {
	From   string
	Regexp *regexp.Regexp // instead of From
	To     string         // with variables; after Regexp $1 or ${name} is a part that matched, and there are no variables
}

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

// rewriteHead applies the route's rewrites to an answer's head.
func (x *exchange) rewriteHead(h *header.Head) {
	if x.route.Rewrites != nil {
		(&rewriting{x.route.Rewrites, x}).apply(h, h.ValuesOf)
	}
}

// rewriteHeader applies the route's rewrites to an answer's fields.
func (x *exchange) rewriteHeader(h http.Header) {
	if x.route.Rewrites != nil {
		(&rewriting{x.route.Rewrites, x}).apply(h, func(name string) iter.Seq[string] { return slices.Values(h.Values(name)) })
	}
}

// texts are those of what is put in.
func (w *ResponseRewrites) texts() texts {
	if w == nil {
		return nil
	}
	var to []string
	for _, r := range slices.Concat(w.Location, w.CookieDomain, w.CookiePath) {
		to = append(to, r.To)
	}
	return textsOf(to, inTarget)
}

// rewriting is the rewriting of one answer.
type rewriting struct {
	*ResponseRewrites
	x *exchange
}

// to is what a rewrite puts in.
func (w *rewriting) to(r Rewrite) string {
	if t := w.x.route.rewriteValues[r.To]; t != nil {
		return t.fill(w.x)
	}
	return r.To
}

func (w *rewriting) apply(h message.Editor, valuesOf func(string) iter.Seq[string]) {
	edit(h, "Location", valuesOf, w.link)
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

// whole returns what becomes of a text that an expression matches in.
func (r Rewrite) whole(text string) (string, bool) {
	if r.Regexp == nil {
		return "", false
	}
	at := r.Regexp.FindStringSubmatchIndex(text)
	if at == nil {
		return "", false
	}
	return string(r.Regexp.ExpandString(nil, r.To, text, at)), true
}

// beginning exchanges how a text begins.
func (w *rewriting) beginning(list []Rewrite, text string) string {
	for _, r := range list {
		if whole, ok := r.whole(text); ok {
			return whole
		}
		if rest, ok := strings.CutPrefix(text, r.From); ok && r.Regexp == nil {
			return w.to(r) + rest
		}
	}
	return text
}

// link changes a URL in Location or Refresh.
func (w *rewriting) link(v string) string {
	to := w.beginning(w.Location, v)
	if to == v && w.RestorePrefix {
		return w.x.restoreLink(v)
	}
	return to
}

// refresh changes the URL in "5; url=http://app/".
func (w *rewriting) refresh(v string) string {
	i := strings.Index(strings.ToLower(v), "url=")
	if i < 0 {
		return v
	}
	i += len("url=")
	return v[:i] + w.link(v[i:])
}

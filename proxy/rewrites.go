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

// ResponseRewrites edit the links and cookies in an upstream's answers, for an
// application that does not know its public address. The first matching entry of each
// list applies. They correspond to nginx's proxy_redirect, proxy_cookie_domain,
// proxy_cookie_path and proxy_cookie_flags.
type ResponseRewrites struct {
	Location     []Rewrite // for the beginning of the URL in Location and Refresh
	CookieDomain []Rewrite // for the whole Domain of a cookie; case and a leading dot do not matter, and the dot stays
	CookiePath   []Rewrite // for the beginning of the Path of a cookie
	CookieFlags  []CookieFlags
	// RestorePrefix undoes the route's StripPrefix and AddPrefix in Location, Refresh and
	// the Path of cookies, if no entry of the lists matches. It is for an application
	// that does not know its prefix.
	RestorePrefix bool
}

// Rewrite replaces From with To. With Regexp, To replaces the whole text if the
// expression matches any part of it.
type Rewrite struct {
	From   string
	Regexp *regexp.Regexp // instead of From
	To     string         // the new text: without Regexp, it may contain variables; with Regexp, $1 or ${name} is a matched group
}

// rewriteHead applies the route's rewrites to an answer's head.
func (x *exchange) rewriteHead(h *header.Head) {
	if x.route.Rewrites != nil {
		(&rewriting{x.route.Rewrites, x}).apply(h, h.ValuesOf)
	}
}

// rewriteHeader applies the route's rewrites to an answer's header map.
func (x *exchange) rewriteHeader(h http.Header) {
	if x.route.Rewrites != nil {
		(&rewriting{x.route.Rewrites, x}).apply(h, func(name string) iter.Seq[string] { return slices.Values(h.Values(name)) })
	}
}

// texts compiles the new texts of the rewrites.
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

// rewriting is the edit of one answer.
type rewriting struct {
	*ResponseRewrites
	x *exchange
}

// to returns the new text of a rewrite.
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

// edit changes the values of a field. If none changes, it leaves the field alone.
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

// whole returns the new text if the rewrite has an expression that matches.
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

// beginning applies the first matching rewrite to the beginning of a text.
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

// link returns the new URL for Location or Refresh.
func (w *rewriting) link(v string) string {
	to := w.beginning(w.Location, v)
	if to == v && w.RestorePrefix {
		return w.x.restoreLink(v)
	}
	return to
}

// refresh changes the URL in "5; url=http://app/". Browsers accept spaces and a quote before
// it (HTML, section 4.2.5.3).
func (w *rewriting) refresh(v string) string {
	i := strings.Index(strings.ToLower(v), "url=")
	if i < 0 {
		return v
	}
	end := len(v)
	start := end - len(strings.TrimLeft(v[i+len("url="):], " \t"))
	if start < end && (v[start] == '"' || v[start] == '\'') {
		start++
		if n := strings.IndexByte(v[start:], v[start-1]); n >= 0 {
			end = start + n
		}
	}
	return v[:start] + w.link(v[start:end]) + v[end:]
}

package assemble

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/proxy"
)

// Proxy adds to o the configuration of the handler over pools, which the map has by name.
// The caller sets the other options, for example observers. An error is about a file that
// the configuration names.
func Proxy(c *config.Config, pools map[string]*proxy.Pool, o proxy.Options) (proxy.Options, error) {
	pages, err := newPages(c.Errors)
	if err != nil {
		return proxy.Options{}, err
	}
	o.Trusted = c.TrustedProxies
	o.TrustedHeaders = named(c.TrustedHeaders)
	o.DropHeaders = named(c.DropHeaders)
	o.Decisive = decisive(c)
	o.Via = c.Via
	o.Pages = pages
	o.Details = c.Errors.Details
	if log, err := Log(c); err == nil {
		o.RecordFields = log.Needs()
	}
	for _, r := range c.Routes {
		route := newRoute(c, r, pools)
		if err := addAccess(&route, r, pools, o.Reread); err != nil {
			return proxy.Options{}, fmt.Errorf("route %s: %w", r.Name, err)
		}
		addAnswers(&route, r)
		o.Routes = append(o.Routes, route)
	}
	return o, nil
}

// named returns a list that is never nil, because nil means the default.
func named(headers []string) []string { return append([]string{}, headers...) }

func newRoute(all *config.Config, c config.Route, pools map[string]*proxy.Pool) proxy.Route {
	r := proxy.Route{
		Name:            c.Name,
		Match:           Match(all, c.Match),
		RequestHeaders:  headerEdits(c.RequestHeaders),
		ResponseHeaders: headerEdits(c.ResponseHeaders),
		ResponseRules:   responseRules(c.ResponseRules),
		ErrorHeaders:    headerEdits(c.ErrorHeaders),
		Rewrites:        rewrites(c.Rewrites),
		StripPrefix:     c.StripPrefix,
		AddPrefix:       c.AddPrefix,
		Timeout:         c.Timeout,
		RetrySafe:       c.RetrySafe,
		ClientCert:      map[string]proxy.ClientCert{"leaf": proxy.LeafClientCert, "chain": proxy.ChainClientCert}[c.ClientCert],
		IdempotencyKey:  c.IdempotencyKey,
		Limits:          Limits(c.Limits),
		Priority:        priorities[c.Priority],
	}
	if p := c.RewritePath; p != nil {
		r.RewritePath = &proxy.RewritePath{Regexp: regexp.MustCompile(p.Regexp), To: p.To}
	}
	if q := c.RequestQuery; len(q.Set)+len(q.Add)+len(q.Remove) > 0 {
		r.RequestQuery = &proxy.QueryEdits{Set: q.Set, Add: q.Add, Remove: q.Remove}
	}
	if c.Host != "keep" {
		r.Host = c.Host
	}
	r.Mirror = newMirror(c.Mirror, pools)
	switch {
	case c.Redirect != nil:
		r.Redirect = new(proxy.Redirect(*c.Redirect))
	case c.Respond != nil:
		r.Respond = newRespond(c.Respond)
	case c.Split != nil:
		r.Split = newSplit(all, c.Split, pools)
		r.Pool = r.Split.Sides[0].Pool
		r.Fallback = newFallback(c.Fallback, pools)
	default:
		r.Pool = pools[c.Pool]
		r.Fallback = newFallback(c.Fallback, pools)
	}
	return r
}

// Match returns the conditions of a validated route.
func Match(all *config.Config, c config.Match) proxy.Match {
	return conditionsOf(all, c.Own())
}

func conditionsOfEach(all *config.Config, list []config.Conditions) (out []proxy.Match) {
	for _, c := range list {
		out = append(out, conditionsOf(all, c))
	}
	return out
}

func conditionsOf(all *config.Config, c config.Conditions) proxy.Match {
	m := proxy.Match{Hosts: c.Host, Path: c.Path, Methods: c.Methods, Headers: c.Headers, Query: c.Query, Cookies: c.Cookies, Scheme: scheme(c.Scheme), Clients: c.Client, Ports: c.Port, ServerNames: c.SNI}
	m.HostRegexp, m.PathRegexp = expression(c.HostRegexp), expression(c.PathRegexp)
	m.Patterns = slices.Concat(
		patterns(proxy.FromHeader, c.HeaderPrefix, c.HeaderRegexp, c.HeaderAbsent),
		patterns(proxy.FromQuery, c.QueryPrefix, c.QueryRegexp, c.QueryAbsent),
		patterns(proxy.FromCookie, c.CookiePrefix, c.CookieRegexp, c.CookieAbsent))
	m.All, m.Any, m.Not = conditionsOfEach(all, c.All), conditionsOfEach(all, c.Any), conditionsOfEach(all, c.Not)
	for _, ref := range c.Listener {
		address, _ := all.ListenerAddress(ref)
		m.Listeners = append(m.Listeners, address)
	}
	return m
}

// patterns returns the patterns sorted by name, so that equal configurations give equal
// results.
func patterns(of proxy.Source, prefixes map[string]string, expressions config.Expressions, absent []string) (all []proxy.Pattern) {
	for _, name := range absent {
		all = append(all, proxy.Pattern{Of: of, Name: name, Absent: true})
	}
	for _, name := range slices.Sorted(maps.Keys(prefixes)) {
		all = append(all, proxy.Pattern{Of: of, Name: name, Prefix: prefixes[name]})
	}
	for _, name := range slices.Sorted(maps.Keys(expressions)) {
		all = append(all, proxy.Pattern{Of: of, Name: name, Regexp: regexp.MustCompile(expressions[name])})
	}
	return all
}

func responseRules(c []config.ResponseRule) (rules []proxy.ResponseRule) {
	for _, r := range c {
		rule := proxy.ResponseRule{Statuses: statuses(r.Status), Status: r.NewStatus}
		rule.Headers = headerEdits(config.HeaderEdit{Set: r.Set, Add: r.Add, Remove: r.Remove, Replace: r.Replace})
		rules = append(rules, rule)
	}
	return rules
}

// rewrites returns nil without rewrites.
func rewrites(c config.Rewrites) *proxy.ResponseRewrites {
	list := func(in []config.Rewrite) (out []proxy.Rewrite) {
		for _, r := range in {
			out = append(out, proxy.Rewrite{From: r.From, Regexp: expression(r.Regexp), To: r.To})
		}
		return out
	}
	if len(c.Location)+len(c.CookieDomain)+len(c.CookiePath)+len(c.CookieFlags) == 0 && !c.RestorePrefix {
		return nil
	}
	w := &proxy.ResponseRewrites{Location: list(c.Location), CookieDomain: list(c.CookieDomain), CookiePath: list(c.CookiePath), RestorePrefix: c.RestorePrefix}
	flags := map[string]proxy.Flag{"keep": proxy.KeepFlag, "set": proxy.SetFlag, "remove": proxy.RemoveFlag}
	sameSite := map[string]string{"strict": "Strict", "lax": "Lax", "none": "None", "remove": "-"}
	for _, f := range c.CookieFlags {
		w.CookieFlags = append(w.CookieFlags, proxy.CookieFlags{Name: f.Name, Regexp: expression(f.Regexp), Secure: flags[f.Secure], HTTPOnly: flags[f.HTTPOnly], SameSite: sameSite[f.SameSite]})
	}
	return w
}

// expression returns nil without an expression.
func expression(text string) *regexp.Regexp {
	if text == "" {
		return nil
	}
	return regexp.MustCompile(text)
}

func newFallback(c *config.Fallback, pools map[string]*proxy.Pool) *proxy.Fallback {
	if c == nil {
		return nil
	}
	kinds := map[string]reason.Failures{
		"unavailable": reason.Unavailable, "connect": reason.Unconnected, "response": reason.Unanswered, "status": reason.BadStatus,
	}
	f := &proxy.Fallback{}
	for _, kind := range c.On {
		f.On |= kinds[kind]
	}
	if c.Respond != nil {
		f.Respond = newRespond(c.Respond)
	} else {
		f.Pool = pools[c.Pool]
	}
	return f
}

func newRespond(c *config.Respond) *proxy.Respond {
	return &proxy.Respond{Status: c.Status, Body: c.Body, Headers: c.Headers}
}

var priorities = map[string]proxy.Priority{"high": proxy.High, "normal": proxy.Normal, "low": proxy.Low}

func headerEdits(c config.HeaderEdit) proxy.HeaderEdits {
	e := proxy.HeaderEdits{Set: c.Set, Add: c.Add, Remove: c.Remove}
	for _, r := range c.Replace {
		e.Replace = append(e.Replace, proxy.HeaderReplace{Name: r.Header, Regexp: regexp.MustCompile(r.Regexp), To: r.To})
	}
	return e
}

func newPages(c config.ErrorPages) (*proxy.Pages, error) {
	html, err := template("errors.html", c.HTML)
	if err != nil {
		return nil, err
	}
	json, err := template("errors.json", c.JSON)
	if err != nil {
		return nil, err
	}
	pages, err := proxy.NewPages(html, json)
	if err != nil || c.Dir == "" {
		return pages, err
	}
	files, _, err := pageFiles(c.Dir)
	if err != nil {
		return nil, fmt.Errorf("errors.dir: %w", err)
	}
	return pages.WithFiles(files)
}

func template(key, file string) (string, error) {
	if file == "" {
		return "", nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("%s: %w", key, err)
	}
	return string(text), nil
}

// scheme returns "" for any.
func scheme(s string) string {
	if s == "any" {
		return ""
	}
	return s
}

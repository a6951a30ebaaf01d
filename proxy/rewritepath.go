package proxy

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/goodgate/goodgate/internal/vars"
)

// RewritePath replaces the path for the upstream, and with a ? in To also the query.
type RewritePath struct {
	Regexp *regexp.Regexp // for the decoded path
	// To is the whole new path, or path and query. $1 or ${name} is a matched group. It
	// may contain variables. In the path, the slashes of a value are encoded, except those
	// of {path} and {1} to {9}. {args} in the query is the client's query.
	To string

	path, query pieces
	hasQuery    bool
	simple      bool // To has neither variables nor a query
}

// piece is a part of a text for a URL.
type piece struct {
	plain string // as it is in the URL
	match string // a group of the match, in the form of [regexp.Regexp.Expand]
	part  vars.Part
	value // a variable
}

type pieces []piece

// prepared returns a compiled copy; nil for nil.
func (p *RewritePath) prepared() *RewritePath {
	if p == nil {
		return nil
	}
	p = new(*p)
	p.path, p.query = nil, nil
	parts, _ := vars.ParseRewrite(p.To)
	p.simple = !strings.Contains(p.To, "?") && !slices.ContainsFunc(parts, func(v vars.Part) bool { return v.Name != "" || v.Group > 0 })
	for _, v := range parts {
		before, after, query := strings.Cut(v.Plain, "?")
		switch {
		case p.hasQuery:
			p.query = p.query.with(v, v.Plain)
		case query:
			p.hasQuery = true
			p.path = p.path.with(v, encodedPath(before))
			p.query = p.query.with(v, after)
		default:
			p.path = p.path.with(v, encodedPath(v.Plain))
		}
	}
	return p
}

// with appends a part of a text. plain is its plain text in the form of its place.
func (list pieces) with(v vars.Part, plain string) pieces {
	switch {
	case v.Match != "":
		return append(list, piece{match: v.Match})
	case v.Plain == "":
		return append(list, piece{part: v, value: valueOf(v)})
	case plain == "":
		return list
	}
	return append(list, piece{plain: plain})
}

func encodedPath(text string) string { return (&url.URL{Path: text}).EscapedPath() }

// of returns the new path of a simple rewrite, or the same one without a match. A new path
// begins with exactly one slash.
func (p *RewritePath) of(path string) string {
	if p == nil || !p.simple {
		return path
	}
	at := p.Regexp.FindStringSubmatchIndex(path)
	if at == nil {
		return path
	}
	return "/" + strings.TrimLeft(string(p.Regexp.ExpandString(nil, p.To, path, at)), "/")
}

// found is a match of a rewrite.
type found struct {
	x    *exchange
	re   *regexp.Regexp
	path string // the decoded path that matched
	at   []int
}

// match returns the match of a rewrite that is not simple. ok is false without one.
func (p *RewritePath) match(x *exchange, path string) (f found, ok bool) {
	if p == nil || p.simple || path == "*" {
		return f, false
	}
	at := p.Regexp.FindStringSubmatchIndex(path)
	return found{x, p.Regexp, path, at}, at != nil
}

func (f *found) group(name string) string {
	return string(f.re.ExpandString(nil, name, f.path, f.at))
}

func (f *found) valueOf(p *piece) string {
	return p.of(&subject{request: f.x.request, client: f.x.record.Client, record: &f.x.record, exchange: f.x})
}

// newPath returns the encoded path. climbs reports a value that would lead to another
// folder.
func (f *found) newPath(list pieces) (path string, climbs bool) {
	var b strings.Builder
	for i := range list {
		p := &list[i]
		switch {
		case p.match != "":
			b.WriteString(encodedPath(f.group(p.match)))
		case p.plain != "":
			b.WriteString(p.plain)
		case p.part.Name == "path" || p.part.Group > 0:
			b.WriteString(f.valueOf(p))
		default:
			v := decodedValue(p.part, f.valueOf(p))
			climbs = climbs || hasDots(v)
			b.WriteString(url.PathEscape(v))
		}
	}
	return "/" + strings.TrimLeft(b.String(), "/"), climbs
}

// newQuery returns the text as a query, without empty parameters.
func (f *found) newQuery(list pieces) string {
	var b strings.Builder
	for i := range list {
		p := &list[i]
		switch {
		case p.match != "":
			b.WriteString(url.QueryEscape(f.group(p.match)))
		case p.plain != "":
			b.WriteString(p.plain)
		case p.part.Name == "args" || p.part.Name == "query" || p.part.Name == "query:":
			b.WriteString(strings.TrimPrefix(f.valueOf(p), "?")) // it is a query already
		default:
			b.WriteString(url.QueryEscape(decodedValue(p.part, f.valueOf(p))))
		}
	}
	return strings.Join(slices.DeleteFunc(strings.Split(b.String(), "&"), func(s string) bool { return s == "" }), "&")
}

// decodedValue returns the value of a variable without the encoding of a URL.
func decodedValue(p vars.Part, v string) string {
	decode := url.PathUnescape
	switch {
	case p.Name == "query:":
		decode = url.QueryUnescape
	case p.Name != "path" && p.Group == 0:
		return v
	}
	if plain, err := decode(v); err == nil {
		return plain
	}
	return v
}

// hasDots reports whether a value has a dot segment, however an upstream reads it.
func hasDots(v string) bool {
	for s := range strings.FieldsFuncSeq(v, func(r rune) bool { return r == '/' || r == '\\' }) {
		if s, _, _ = strings.Cut(s, ";"); s == "." || s == ".." {
			return true
		}
	}
	return false
}

// rewriteRefusal returns why goodgate refuses the target made by the route's rewrite, or
// nil.
func (x *exchange) rewriteRefusal() error {
	rt := x.route
	if rt.RewritePath == nil || rt.RewritePath.simple {
		return nil
	}
	u := *x.request.URL
	rt.changePrefixes(&u)
	f, ok := rt.RewritePath.match(x, u.Path)
	if !ok {
		return nil
	}
	escaped, climbs := f.newPath(rt.RewritePath.path)
	plain, err := url.PathUnescape(escaped)
	if err != nil {
		return err
	}
	if _, above := clean(plain); above || climbs {
		return errPathClimb
	}
	return nil
}

// rewriteTarget turns the client's target into the target for the upstream.
func (x *exchange) rewriteTarget(u *url.URL) {
	rt := x.route
	rt.rewritePath(u)
	if f, ok := rt.RewritePath.match(x, u.Path); ok {
		escaped, _ := f.newPath(rt.RewritePath.path)
		if plain, err := url.PathUnescape(escaped); err == nil {
			u.Path, u.RawPath = plain, escaped
		}
		if rt.RewritePath.hasQuery {
			u.RawQuery, u.ForceQuery = f.newQuery(rt.RewritePath.query), false
		}
	}
	x.editQuery(u)
}

package proxy

import (
	"cmp"
	"iter"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
)

// offerUpgrades sets Upgrade in h, if present, to all protocols that the client offers.
// Upgrade is a list, in one or several fields (RFC 9110, section 7.8), and httputil takes
// only the first. offerUpgrades removes HTTP itself: over an HTTP/2 connection with the
// upstream, a client's requests would bypass goodgate.
func offerUpgrades(h http.Header, offered []string) {
	if h.Get("Upgrade") == "" {
		return
	}
	var kept []string
	for p := range protocols(offered) {
		lower := strings.ToLower(p)
		if !strings.Contains(lower, "h2") && !strings.HasPrefix(lower, "http/") {
			kept = append(kept, p)
		}
	}
	if len(kept) == 0 {
		h.Del("Upgrade")
		h.Del("Connection")
		return
	}
	h["Upgrade"] = []string{strings.Join(kept, ", ")}
}

// protocols yields the valid members of an Upgrade list.
func protocols(fields []string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, line := range fields {
			for p := range strings.SplitSeq(line, ",") {
				p = textproto.TrimString(p)
				name, version, versioned := strings.Cut(p, "/")
				if isToken(name) && (!versioned || isToken(version)) && !yield(p) {
					return
				}
			}
		}
	}
}

// rewritePath changes the route's prefixes, and then applies a simple RewritePath. It does
// not change OPTIONS *.
func (rt *Route) rewritePath(u *url.URL) {
	rt.changePrefixes(u)
	if to := rt.RewritePath.of(u.Path); to != u.Path && u.Path != "*" {
		u.Path, u.RawPath = to, "" // the new path has no separate encoded form
	}
}

// changePrefixes removes and adds the route's prefixes, in the decoded and in the encoded
// path.
func (rt *Route) changePrefixes(u *url.URL) {
	add := strings.TrimSuffix(rt.AddPrefix, "/")
	switch {
	case rt.StripPrefix == "" && rt.AddPrefix == "" || u.Path == "*":
	case u.RawPath == "":
		u.Path = cmp.Or(add+cutPrefix(u.Path, rt.StripPrefix), "/")
	default:
		added := url.URL{Path: add}
		u.RawPath = cmp.Or(added.EscapedPath()+cutEscaped(u.RawPath, rt.StripPrefix), "/")
		u.Path, _ = url.PathUnescape(u.RawPath) // both parts are well formed
	}
}

// changesTarget reports whether the upstream may get another path or query.
func (rt *Route) changesTarget() bool { return rt.changesPath() || rt.RequestQuery != nil }

// changesPath reports whether the upstream may get another path.
func (rt *Route) changesPath() bool {
	return rt.StripPrefix != "" || rt.AddPrefix != "" || rt.RewritePath != nil
}

// stripped returns the encoded prefix that rewritePath removes from a path; empty = none.
func (rt *Route) stripped(u *url.URL) string {
	switch {
	case rt.StripPrefix == "":
		return ""
	case u.RawPath == "" && len(cutPrefix(u.Path, rt.StripPrefix)) == len(u.Path),
		u.RawPath != "" && len(cutEscaped(u.RawPath, rt.StripPrefix)) == len(u.RawPath):
		return ""
	}
	prefix := url.URL{Path: strings.TrimSuffix(rt.StripPrefix, "/")}
	return prefix.EscapedPath()
}

// cutPrefix removes prefix from path at the end of a segment. The rest is empty or begins
// with a slash. It returns a path without the prefix unchanged.
func cutPrefix(path, prefix string) string {
	rest, ok := strings.CutPrefix(path, strings.TrimSuffix(prefix, "/"))
	if !ok || rest != "" && rest[0] != '/' {
		return path
	}
	return rest
}

// cutEscaped is cutPrefix for an encoded path. The path may encode the prefix in any way.
// An encoded slash does not end a segment.
func cutEscaped(path, prefix string) string {
	prefix = strings.TrimSuffix(prefix, "/")
	border, segments := len(path), strings.Count(prefix, "/")
	for i := range len(path) {
		if path[i] != '/' {
			continue
		}
		if segments == 0 {
			border = i
			break
		}
		segments--
	}
	if head, err := url.PathUnescape(path[:border]); err != nil || head != prefix {
		return path
	}
	return path[border:]
}

package proxy

import (
	"cmp"
	"iter"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
)

// offerUpgrades puts into h, if it asks for an upgrade, all the protocols that a
// client offers: Upgrade is a list, in one field or several (RFC 9110, section 7.8),
// of which httputil takes the first field. HTTP is not among them: through a
// connection of HTTP/2 with the upstream a client's requests would go past goodgate.
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

// protocols are the members of an Upgrade list. What is no protocol is left out.
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

// rewritePath takes off and puts on the route's prefixes, in the decoded and
// the encoded form of the path alike. OPTIONS * is about no path.
func (rt *Route) rewritePath(u *url.URL) {
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
	if to := rt.RewritePath.of(u.Path); to != u.Path && u.Path != "*" {
		u.Path, u.RawPath = to, "" // spelled anew
	}
}

// changesPath reports whether the path that goes upstream may be another one.
func (rt *Route) changesPath() bool {
	return rt.StripPrefix != "" || rt.AddPrefix != "" || rt.RewritePath != nil
}

// stripped returns what rewritePath takes off a path, encoded; empty = nothing.
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

// cutPrefix takes prefix off path at a segment's border and leaves nothing or a path
// that begins with a slash. A path without the prefix it returns as it is.
func cutPrefix(path, prefix string) string {
	rest, ok := strings.CutPrefix(path, strings.TrimSuffix(prefix, "/"))
	if !ok || rest != "" && rest[0] != '/' {
		return path
	}
	return rest
}

// cutEscaped is cutPrefix for an encoded path, which may spell the prefix in
// its own way; an encoded slash is no border.
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

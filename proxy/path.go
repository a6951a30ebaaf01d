package proxy

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"
)

// fillPath sets the path of a target without one, for example http://example.com: to "/",
// or for OPTIONS without a query to "*", the server itself (RFC 9112, section 3.2.4).
func fillPath(r *Request) {
	u := r.URL
	switch {
	case u.Path != "" || u.Host == "" || u.Scheme == "":
	case r.Method == http.MethodOptions && u.RawQuery == "" && !u.ForceQuery:
		r.SetPath("*")
	default:
		r.SetPath("/")
	}
}

// pathRefusal returns why a path is refused, or nil. An application may interpret an odd
// path differently. All interpretations must lead to the same route. Otherwise a client
// could reach one route under the rules of another.
func (x *exchange) pathRefusal(rt *Route) error {
	r := x.request
	if rt != nil && rt.RewritePath != nil && rt.RewritePath.simple && r.URL.Path != "*" {
		if _, climbs := clean(rt.RewritePath.of(cutPrefix(r.URL.Path, rt.StripPrefix))); climbs {
			return errPathClimb
		}
	}
	if !odd(r.URL) {
		return nil
	}
	cleaned, climbs := clean(r.URL.Path)
	if climbs {
		return errPathClimb
	}
	if x.proxy.byPath {
		for _, path := range []string{cleaned, cleanEscaped(cmp.Or(r.URL.RawPath, r.URL.Path)), withoutDots(r.URL.Path)} {
			if x.match(path) != rt {
				return errPathTwice
			}
		}
	}
	if rt != nil && rt.changesPath() {
		if _, climbs := clean(cutPrefix(r.URL.Path, rt.StripPrefix)); climbs {
			return errPathClimb
		}
	}
	return nil
}

// odd reports whether the path has more than one interpretation.
func odd(u *url.URL) bool {
	if u.RawPath != "" { // encoded in an unusual way
		return true
	}
	for i := range len(u.Path) {
		switch u.Path[i] {
		case '\\', ';':
			return true
		case '/':
			if i+1 < len(u.Path) && (u.Path[i+1] == '/' || u.Path[i+1] == '.') {
				return true
			}
		}
	}
	return false
}

// clean returns the most lenient interpretation of a decoded path: a backslash is a
// slash, several slashes are one, a segment ends at a semicolon, and dot segments are
// resolved. climbs reports a path that climbs above its beginning.
func clean(path string) (cleaned string, climbs bool) {
	return resolve(strings.Split(strings.ReplaceAll(path, `\`, "/"), "/"))
}

// cleanEscaped is clean for an encoded path. An encoded slash does not separate segments.
func cleanEscaped(path string) string {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		if plain, err := url.PathUnescape(s); err == nil {
			segments[i] = strings.ReplaceAll(plain, "/", "%2F")
		}
	}
	cleaned, _ := resolve(segments)
	return cleaned
}

func resolve(segments []string) (path string, climbs bool) {
	kept := make([]string, 0, len(segments))
	open := true // the path ends with a slash
	for _, s := range segments {
		s, _, _ = strings.Cut(s, ";")
		open = s == "" || s == "." || s == ".."
		switch {
		case s == ".." && len(kept) == 0:
			climbs = true
		case s == "..":
			kept = kept[:len(kept)-1]
		case !open:
			kept = append(kept, s)
		}
	}
	path = "/" + strings.Join(kept, "/")
	if open && len(kept) > 0 {
		path += "/"
	}
	return path, climbs
}

// withoutDots resolves dot segments as in RFC 3986, section 5.2.4: ".." also removes an
// empty segment.
func withoutDots(path string) string {
	segments := strings.Split(path, "/")
	kept := segments[:0:0]
	for i, s := range segments {
		last := i == len(segments)-1
		switch s {
		case ".", "..":
			if s == ".." && len(kept) > 1 {
				kept = kept[:len(kept)-1]
			}
			if last {
				kept = append(kept, "")
			}
		default:
			kept = append(kept, s)
		}
	}
	return strings.Join(kept, "/")
}

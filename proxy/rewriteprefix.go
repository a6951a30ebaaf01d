package proxy

import (
	"net/url"
	"strings"
)

// This file undoes the route's change of the path in answers, for an application that
// does not know its prefix.

// restorePath returns the client's path for an encoded path of the application. It does
// not change a path that already has the prefix, because some applications use
// X-Forwarded-Prefix. Nor does it change a path that no request of the route can reach.
func (rt *Route) restorePath(path string) string {
	strip, add := encodedPrefix(rt.StripPrefix), encodedPrefix(rt.AddPrefix)
	if !strings.HasPrefix(path, "/") || strip != "" && (path == strip || strings.HasPrefix(path, strip+"/")) {
		return path
	}
	rest := cutPrefix(path, add)
	if add != "" && len(rest) == len(path) {
		return path
	}
	if strip+rest == "" {
		return "/"
	}
	return strip + rest
}

func encodedPrefix(prefix string) string {
	return (&url.URL{Path: strings.TrimSuffix(prefix, "/")}).EscapedPath()
}

// restoreLink is restorePath for a link: a path, or a URL of the client's host or of the
// upstream. It does not change a relative path, which is under the prefix anyway.
func (x *exchange) restoreLink(link string) string {
	u, err := url.Parse(link)
	if err != nil || u.Opaque != "" || u.User != nil {
		return link
	}
	ours := u.Host == "" || strings.EqualFold(u.Host, x.request.Host) || u.Host == x.record.Upstream
	if !ours || u.Host == "" && strings.HasPrefix(link, "//") {
		return link
	}
	rest := link
	if u.Host != "" {
		if i := strings.Index(link, "//"); i >= 0 {
			rest = link[i+2+len(u.Host):]
		}
	}
	end := strings.IndexAny(rest, "?#")
	if end < 0 {
		end = len(rest)
	}
	path := rest[:end]
	if u.Host != "" && path == "" {
		path = "/"
	}
	to := x.route.restorePath(path)
	if u.Host == x.record.Upstream && u.Host != "" {
		return to + rest[end:] // clients cannot reach the upstream's address
	}
	return link[:len(link)-len(rest)] + to + rest[end:]
}

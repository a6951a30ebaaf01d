package proxy

import (
	"net/url"
	"strings"

	"github.com/goodgate/goodgate/internal/wire/header"
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

// authority returns the host of a URL with its port.
func authority(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Host
	case u.Scheme == "https":
		return u.Host + ":443"
	}
	return u.Host + ":80"
}

// restoreLink is restorePath for a link: a path, or a URL of the client's host or of the
// upstream. It does not change a relative path, which is under the prefix anyway.
func (x *exchange) restoreLink(link string) string {
	u, err := url.Parse(link)
	if err != nil || u.Opaque != "" || u.User != nil {
		return link
	}
	upstream := u.Host != "" && strings.EqualFold(authority(u), x.record.Upstream)
	ours := u.Host == "" || strings.EqualFold(u.Host, x.request.Host) || strings.EqualFold(u.Host, lastOf(x.request.Values(header.XForwardedHost), ""))
	if !ours && !upstream || u.Host == "" && strings.HasPrefix(link, "//") {
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
	if upstream {
		return to + rest[end:] // clients cannot reach the upstream's address
	}
	return link[:len(link)-len(rest)] + to + rest[end:]
}

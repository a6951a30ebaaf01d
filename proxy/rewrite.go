package proxy

import (
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
)

// rewrite makes the request that goes upstream. httputil has already taken off
// the hop-by-hop headers and everything a client could claim about forwarding.
func rewrite(pr *httputil.ProxyRequest) {
	x := exchangeOf(pr.In.Context())
	out := pr.Out
	out.URL.RawQuery = pr.In.URL.RawQuery // httputil drops what it cannot parse; the application may parse it
	x.route.rewritePath(out.URL)
	if h := x.route.Host; h != "" && h != HostUpstream {
		out.Host = h
	}
	x.setForwarded(pr.In, out.Header)
	x.route.RequestHeaders.apply(out.Header)
	if !x.choice.Replayable {
		hideKeys(out.Header)
	}
}

// hideKeys spells the headers that would make http.Transport send any request
// again by itself, in a way that it does not look for. It means the same to
// the upstream, since case does not matter in names.
func hideKeys(h http.Header) {
	for _, name := range [...]string{"Idempotency-Key", "X-Idempotency-Key"} {
		if v, ok := h[name]; ok {
			delete(h, name)
			h[strings.ToLower(name)] = v
		}
	}
}

// rewritePath takes off and puts on the route's prefixes, in the decoded and
// the encoded form of the path alike.
func (rt *Route) rewritePath(u *url.URL) {
	if rt.StripPrefix == "" && rt.AddPrefix == "" {
		return
	}
	path, ok := cutPrefix(u.Path, rt.StripPrefix)
	if !ok {
		path = u.Path
	}
	raw := u.RawPath
	if raw != "" && ok {
		// The encoded form may spell the prefix differently; then Go encodes anew.
		if raw, ok = cutPrefix(raw, rt.StripPrefix); !ok {
			raw = ""
		}
	}
	u.Path = rt.AddPrefix + path
	if raw != "" {
		u.RawPath = (&url.URL{Path: rt.AddPrefix}).EscapedPath() + raw
	} else {
		u.RawPath = ""
	}
}

// cutPrefix takes prefix off path at a segment's border and leaves a path that
// begins with a slash.
func cutPrefix(path, prefix string) (string, bool) {
	prefix = strings.TrimSuffix(prefix, "/")
	rest, ok := strings.CutPrefix(path, prefix)
	if !ok || rest != "" && rest[0] != '/' {
		return path, false
	}
	if rest == "" {
		rest = "/"
	}
	return rest, true
}

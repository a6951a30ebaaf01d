package config

import (
	"net/netip"
	"slices"
)

// access reports impossible settings for the access to a route.
func (v *validator) access(path string, r Route) {
	at := path + ".access"
	for i, p := range r.Access.Deny {
		if slices.ContainsFunc(r.Access.Allow, func(q netip.Prefix) bool { return p.Masked() == q.Masked() }) {
			v.errorf(index(at+".deny", i), "found %q: access.allow has it too", p)
		}
	}
	if f := r.Access.Forward; f != nil {
		v.forward(at+".forward", f)
		v.headerEdit(at+".forward.request_headers", f.Headers, true)
		for i, name := range f.Copy {
			v.headerAllowed(index(at+".forward.copy_headers", i), name, true)
		}
		for i, name := range f.Return {
			v.headerAllowed(index(at+".forward.return_headers", i), name, false)
		}
	}
	for i, s := range r.Intercept {
		if s.From > 0 && s.From < 400 { // 0 = reported already
			v.errorf(index(path+".intercept", i), "found %s: only statuses of 400 and above have error pages", s)
		}
	}
	if b := r.Access.Basic; b != nil && b.UserHeader != "" {
		v.headerAllowed(at+".basic.user_header", b.UserHeader, true)
	}
	if c := r.CORS; c != nil && c.Credentials && slices.Contains(c.Origins, "*") {
		v.errorf(path+".cors.credentials", "browsers refuse credentials with origin *, because every site could act for your users: name the origins")
	}
}

// forward reports a service that does not exist, or that is given twice.
func (v *validator) forward(path string, f *ForwardAuth) {
	if len(f.URL) == 0 {
		at := path
		if v.at.given(path + ".pool") {
			at += ".pool"
		}
		v.poolExists(at, f.Pool)
		if v.at.given(path + ".tls") {
			v.errorf(path+".tls", "applies to url only: the pool has tls of its own")
		}
		return
	}
	if v.at.given(path + ".path") {
		v.errorf(path+".path", "excludes url, which has the path")
	}
	v.clientTLS(path+".tls", f.TLS)
	first, err := parseService(f.URL[0])
	for i, text := range f.URL {
		s, e := parseService(text)
		switch at := index(path+".url", i); {
		case err != nil || e != nil: // reported already
		case s.target != first.target:
			v.errorf(at, "its path differs from that of the first URL: all instances of a service need the same path")
		case slices.ContainsFunc(f.URL[:i], func(o string) bool { p, _ := parseService(o); return p.origin == s.origin }):
			v.errorf(at, "found %q: the same upstream as an earlier one", s.origin)
		}
	}
}

// access warns of settings without effect, and of those that admit more than they seem
// to.
func (a *advisor) access(i int, path string, r Route) {
	at := path + ".access"
	parts := 0
	for _, given := range []bool{len(r.Access.Allow)+len(r.Access.Deny) > 0, r.Access.Basic != nil, r.Access.Forward != nil} {
		if given {
			parts++
		}
	}
	if a.uses(at, "satisfy") && parts < 2 {
		a.warnf(at+".satisfy", "has no effect: it needs at least two of networks (allow, deny), basic and forward")
	}
	if r.Access.Satisfy == "any" && len(r.Access.Allow) == 0 && len(r.Access.Deny) > 0 && parts > 1 {
		a.warnf(at+".satisfy", "with satisfy: any, no client outside deny needs a password; in allow, list only the networks that need none")
	}
	for i, p := range r.Access.Deny {
		if len(r.Access.Allow) > 0 && !slices.ContainsFunc(r.Access.Allow, func(q netip.Prefix) bool { return q.Bits() < p.Bits() && q.Contains(p.Addr()) }) {
			a.warnf(index(at+".deny", i), "has no effect: no network of access.allow lets %s in", p)
		}
	}
	if r.Access.Basic != nil && a.reachedPlain(i) {
		a.warnf(at+".basic", "clients without TLS send the password in plain text: set match.scheme: https, or use TLS in the proxy in front")
	}
	if c := r.CORS; c != nil && slices.Contains(c.Origins, "null") {
		a.warnf(path+".cors.origins", "null is the origin of sandboxed pages of every site and of local files, so it allows everybody")
	}
	if len(r.CrossOrigin.Trusted) > 0 && r.CrossOrigin.Mode == "allow" {
		a.warnf(path+".cross_origin.trusted", "has no effect with mode allow: set mode: deny")
	}
}

// reachedPlain reports whether clients on other machines may reach the i-th route without
// TLS: over a listener without TLS, while no earlier route takes its plain requests, for
// example to redirect them. A trusted proxy in front may have TLS.
func (a *advisor) reachedPlain(i int) bool {
	if len(a.config.TrustedProxies) > 0 {
		return false
	}
	return slices.ContainsFunc(a.config.Listeners, func(l Listener) bool {
		network, address := l.Network()
		if l.TLS != nil || network != "tcp" || isLoopback(address) || !a.config.takes(a.config.Routes[i].Match, l) {
			return false
		}
		return !slices.ContainsFunc(a.config.Routes[:i], func(earlier Route) bool {
			return slices.ContainsFunc([]string{l.Address, l.Name}, func(name string) bool {
				plain := a.config.Routes[i].Match
				plain.Scheme, plain.Listener = "http", []string{name}
				return earlier.Match.covers(plain)
			})
		})
	})
}

// leadsToPools returns all pools that a route sends anything to.
func (r *Route) leadsToPools() (names []string) {
	names = append(names, r.Pools()...)
	if r.Fallback != nil {
		names = append(names, r.Fallback.Pool)
	}
	if r.Access.Forward != nil {
		names = append(names, r.Access.Forward.Pool)
	}
	return names
}

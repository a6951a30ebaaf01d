package admin

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// maxBody bounds the body of a request, in bytes, if the endpoint sets no bound.
const maxBody = 64 << 10

// guard admits authorised requests. A browser on the operator's machine can reach the
// loopback address for any page that it shows. So the Host must be a name that only this
// server can have (DNS rebinding). And guard refuses all requests for another site's
// page: the page could not read the answer, but a request could make a change (CSRF), a
// profile would take processor time, and an event stream one of the few seats.
func (s *Server) guard(next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeBound))
		open := s.open(r)
		by, known := s.knows(r)
		switch {
		case !s.knownHost(r.Host):
			refuse(w, http.StatusMisdirectedRequest, "unknown Host: use the address, or add the name to admin.hosts")
		case protection.Check(r) != nil || !open && s.foreign(r):
			refuse(w, http.StatusForbidden, "pages of other sites may not do this")
		case !open && !known:
			h.Set("WWW-Authenticate", "Bearer")
			refuse(w, http.StatusUnauthorized, "this needs a token: Authorization: Bearer ...")
		default:
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), author{}, by)))
		}
	})
}

// knownHost reports whether a name can only mean this server.
func (s *Server) knownHost(host string) bool {
	if s.opts.Local {
		return true
	}
	if _, err := netip.ParseAddr(hostname(host)); err == nil {
		return true
	}
	return hostname(host) == "localhost" || s.named(host)
}

// open reports whether an endpoint needs no token: those for load balancers, and the
// dashboard without its data. The mux interprets the path, so that it means the same here
// and there.
func (s *Server) open(r *http.Request) bool {
	_, pattern := s.mux.Handler(r)
	if pattern == "" { // no endpoint
		return strings.HasPrefix(r.URL.Path, "/page/")
	}
	return s.anybody[pattern]
}

// foreign reports whether a browser has sent the request for another site's page.
// Browsers send Sec-Fetch-Site to every address of this machine, but not to other names
// over plain HTTP. So there a request that starts work needs a token.
func (s *Server) foreign(r *http.Request) bool {
	switch site := r.Header.Get("Sec-Fetch-Site"); site {
	case "same-origin", "none":
		return false
	case "":
	default:
		return true
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		u, err := url.Parse(origin)
		return err != nil || u.Host != r.Host
	}
	return len(s.opts.Tokens) == 0 && s.named(r.Host) && strings.HasPrefix(r.URL.Path, "/debug/")
}

// named reports whether Host is listed in admin.hosts.
func (s *Server) named(host string) bool {
	return slices.Contains(s.opts.Hosts, hostname(host))
}

// hostname returns a Host without its port.
func hostname(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return strings.ToLower(strings.Trim(host, "[]"))
}

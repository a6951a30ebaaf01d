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

// maxBody bounds the body of a request to an endpoint that sets no other bound.
const maxBody = 64 << 10

// guard lets in who may ask. A browser on the operator's own machine reaches
// the loopback address for any page it shows, so the Host has to be one that
// nobody else can have (DNS rebinding), and another site's page may ask for
// nothing: it could not read an answer, but a change would be made (CSRF), a
// profile would take a processor's time, and a stream of events one of the few
// seats.
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
			refuse(w, http.StatusMisdirectedRequest, "this Host is not known: ask by the address, or put the name into admin.hosts")
		case protection.Check(r) != nil || !open && s.foreign(r):
			refuse(w, http.StatusForbidden, "a page of another site may not do this")
		case !open && !known:
			h.Set("WWW-Authenticate", "Bearer")
			refuse(w, http.StatusUnauthorized, "a token is needed: Authorization: Bearer ...")
		default:
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), author{}, by)))
		}
	})
}

// knownHost reports whether a name can only stand for this server.
func (s *Server) knownHost(host string) bool {
	if s.opts.Local {
		return true
	}
	if _, err := netip.ParseAddr(hostname(host)); err == nil {
		return true
	}
	return hostname(host) == "localhost" || s.named(host)
}

// open reports whether anybody may ask: what a load balancer asks, and the
// dashboard, which is without its data. The mux decides what a path means, so
// that it has one meaning here and there.
func (s *Server) open(r *http.Request) bool {
	_, pattern := s.mux.Handler(r)
	if pattern == "" { // nothing is there
		return strings.HasPrefix(r.URL.Path, "/page/")
	}
	return s.anybody[pattern]
}

// foreign reports whether a browser has sent the request for another site's
// page. Browsers say so in Sec-Fetch-Site to every address of this machine. To
// another name that stands for it, by plain HTTP, they do not, so that there a
// request that starts work needs a token.
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

// named reports whether Host is one of admin.hosts.
func (s *Server) named(host string) bool {
	return slices.Contains(s.opts.Hosts, hostname(host))
}

// hostname is a Host without its port.
func hostname(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return strings.ToLower(strings.Trim(host, "[]"))
}

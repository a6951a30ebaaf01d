package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// maxBody bounds what a request may bring.
const maxBody = 64 << 10

// guard lets in who may ask. A browser on the operator's own machine reaches
// the loopback address for any page it shows, so the Host has to be one that
// nobody else can have (DNS rebinding), and a change must not come from another
// site's page (CSRF).
func (s *Server) guard(next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusForbidden, "a page of another site may not do this")
	}))
	next = protection.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeBound))
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		switch {
		case !s.knownHost(r.Host):
			refuse(w, http.StatusMisdirectedRequest, "this Host is not known: ask by the address, or put the name into admin.hosts")
		case !s.knows(r):
			h.Set("WWW-Authenticate", "Bearer")
			refuse(w, http.StatusUnauthorized, "a token is needed: Authorization: Bearer ...")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// knownHost reports whether a name can only stand for this server.
func (s *Server) knownHost(host string) bool {
	if s.opts.Local {
		return true
	}
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return host == "localhost" || slices.Contains(s.opts.Hosts, host)
}

// knows reports whether a request may be answered: it has the token, or asks
// only what a load balancer asks, or the dashboard without its data.
func (s *Server) knows(r *http.Request) bool {
	if s.opts.Token == "" || isPage(r) || r.Method == http.MethodGet && (r.URL.Path == "/live" || r.URL.Path == "/ready") {
		return true
	}
	got, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	// Hashed, so that the time tells nothing of the length either.
	a, b := sha256.Sum256([]byte(got)), sha256.Sum256([]byte(s.opts.Token))
	return ok && subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

package admin

import (
	"embed"
	"net/http"
)

// page is the dashboard as it is sent: no build step, nothing from elsewhere.
//
//go:embed page
var page embed.FS

// policy lets the dashboard run its own scripts and talk to its own server, and
// nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

// dashboard serves the page. It holds nothing secret and needs no token; what it
// shows comes from the API, which does.
func (s *Server) dashboard() {
	files := http.FileServerFS(page)
	show := func(next http.Handler) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Security-Policy", policy)
			next.ServeHTTP(w, r)
		}
	}
	s.mux.HandleFunc(indexPattern, show(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, page, "page/index.html")
	})))
	s.mux.HandleFunc(pagePattern, show(files))
}

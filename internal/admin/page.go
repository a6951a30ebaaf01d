//go:build !minimal

package admin

import (
	"embed"
	"net/http"
)

// page is the dashboard, served as it is: no build step, nothing from elsewhere.
//
//go:embed page
var page embed.FS

// policy allows the dashboard its own scripts and requests to its own server, and nothing
// else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

// index and pageFile serve the dashboard. It contains nothing secret and needs no token.
// Its data come from the API, which requires one.
func (s *Server) index(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Security-Policy", policy)
	http.ServeFileFS(w, r, page, "page/index.html")
}

func (s *Server) pageFile(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Security-Policy", policy)
	http.FileServerFS(page).ServeHTTP(w, r)
}

//go:build minimal

package admin

import "net/http"

func (s *Server) index(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "the minimal edition of goodgate has no dashboard; goodgate status shows the same as text", http.StatusNotFound)
}

func (s *Server) pageFile(w http.ResponseWriter, r *http.Request) { s.index(w, r) }

package admin

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/goodgate/goodgate/proxy"
)

// Mirror is the state of a route's mirror since its last change of configuration.
type Mirror struct {
	Route string  `json:"route"`
	Pool  string  `json:"pool"`  // the pool that gets copies of the requests
	Share float64 `json:"share"` // of 1
	proxy.MirrorReport
}

func (s *Server) mirrorEndpoints() []Endpoint {
	return []Endpoint{
		{Pattern: "GET /v1/mirrors", Answers: []Mirror{}, Handler: s.allMirrors, Does: "Routes that are mirrored to another pool: how the answers differ, with samples."},
		{Pattern: "GET /v1/mirrors/{route}", Answers: Mirror{}, Handler: s.oneMirror, Refuses: []int{404}, Does: "The mirror of one route."},
	}
}

func (s *Server) mirrors() []Mirror {
	if s.opts.Mirrors == nil {
		return nil
	}
	return s.opts.Mirrors()
}

func (s *Server) allMirrors(w http.ResponseWriter, _ *http.Request) {
	reply(w, 200, append([]Mirror{}, s.mirrors()...))
}

func (s *Server) oneMirror(w http.ResponseWriter, r *http.Request) {
	list := s.mirrors()
	route := r.PathValue("route")
	i := slices.IndexFunc(list, func(m Mirror) bool { return m.Route == route })
	if i < 0 {
		refuse(w, 404, s.noMirror(route))
		return
	}
	reply(w, 200, list[i])
}

// noMirror says that a route does not exist, or that it has no mirror.
func (s *Server) noMirror(route string) string {
	if !slices.Contains(s.routes(), route) {
		return s.noRoute(route)
	}
	var mirrored []string
	for _, m := range s.mirrors() {
		mirrored = append(mirrored, m.Route)
	}
	if len(mirrored) == 0 {
		return fmt.Sprintf("route %q has no mirror, and neither has any other route", route)
	}
	return fmt.Sprintf("route %q has no mirror. %s", route, existing("mirrored route", mirrored))
}

// MirrorLine is a mirror in one line.
type MirrorLine struct {
	Route     string  `json:"route"`
	Pool      string  `json:"pool"`
	Sent      int     `json:"sent"`
	Different int     `json:"different"`
	Failed    int     `json:"failed"`
	MainMS    float64 `json:"main_ms"`
	MirrorMS  float64 `json:"mirror_ms"`
}

func (s *Server) mirrorLines() (lines []MirrorLine) {
	for _, m := range s.mirrors() {
		lines = append(lines, MirrorLine{m.Route, m.Pool, m.Sent, m.Different, m.Failed, m.MainMS, m.MirrorMS})
	}
	return lines
}

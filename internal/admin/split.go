package admin

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/goodgate/goodgate/internal/split"
)

// Splits is the part of goodgate that controls the splits of routes. It is safe for
// concurrent use.
type Splits interface {
	// SplitReports returns the present reports, by route name.
	SplitReports() []split.Report
	// OrderSplit changes the weights of a route's split for a duration; 0 = until it is
	// reset.
	OrderSplit(route string, o split.Order, d time.Duration) error
	// ResetSplit returns to the file's weights, and restarts the schedule.
	ResetSplit(route, by, why string) error
}

// ErrNoSplit is the error for a route that is not split.
var ErrNoSplit = errors.New("no route of this name is split")

// SplitOrder is the body of POST /v1/splits/{route}: either Weights or Reset.
type SplitOrder struct {
	// Weights by pool. If all pools have one they are used unchanged. Otherwise each is a
	// percentage of all requests, and the other pools share the rest in their present
	// proportion.
	Weights map[string]float64 `json:"weights,omitempty"`
	Reset   bool               `json:"reset,omitempty"` // return to the file's weights, and restart its schedule
	Why     string             `json:"why,omitempty"`
	For     string             `json:"for,omitempty"` // duration, for example 2h; empty = until it is reset
}

func (s *Server) splitEndpoints() []Endpoint {
	return append(s.mirrorEndpoints(), []Endpoint{
		{Pattern: "GET /v1/splits", Answers: []split.Report{}, Handler: s.allSplits, Does: "Routes that are split between pools: shares, verdicts and the next step."},
		{Pattern: "GET /v1/splits/{route}", Answers: split.Report{}, Handler: s.oneSplit, Refuses: []int{404}, Does: "The split of one route."},
		{Pattern: "POST /v1/splits/{route}", Takes: SplitOrder{}, Answers: split.Report{}, Handler: s.orderSplit, Refuses: []int{400, 404, 409}, Does: "Changes the weights of a split, or returns to those of the file."},
	}...)
}

func (s *Server) splitReports() []split.Report {
	if s.opts.Splits == nil {
		return nil
	}
	return s.opts.Splits.SplitReports()
}

func (s *Server) allSplits(w http.ResponseWriter, _ *http.Request) {
	reply(w, 200, append([]split.Report{}, s.splitReports()...))
}

func (s *Server) oneSplit(w http.ResponseWriter, r *http.Request) {
	s.tellSplit(w, r.PathValue("route"))
}

func (s *Server) tellSplit(w http.ResponseWriter, route string) {
	list := s.splitReports()
	i := slices.IndexFunc(list, func(r split.Report) bool { return r.Route == route })
	if i < 0 {
		refuse(w, 404, s.noSplit(route))
		return
	}
	reply(w, 200, list[i])
}

// noSplit says that a route does not exist, or that it is not split.
func (s *Server) noSplit(route string) string {
	var split []string
	for _, r := range s.splitReports() {
		split = append(split, r.Route)
	}
	switch {
	case !slices.Contains(s.routes(), route):
		return s.noRoute(route)
	case len(split) == 0:
		return fmt.Sprintf("route %q is not split, and neither is any other route", route)
	}
	return fmt.Sprintf("route %q is not split. %s", route, existing("split route", split))
}

func (s *Server) orderSplit(w http.ResponseWriter, r *http.Request) {
	var o SplitOrder
	if !Decode(w, r, &o) {
		return
	}
	bound, err := time.Duration(0), error(nil)
	if o.For != "" {
		bound, err = time.ParseDuration(o.For)
	}
	switch {
	case err != nil || bound < 0 || o.For != "" && bound == 0:
		refuse(w, 400, "for "+o.For+": expected a duration such as 2h")
		return
	case o.Reset == (len(o.Weights) > 0):
		refuse(w, 400, "the body needs either weights or reset")
		return
	case o.Reset && o.For != "":
		refuse(w, 400, "for "+o.For+": a reset makes the split follow the file again, and takes no duration")
		return
	case s.opts.Splits == nil:
		refuse(w, 404, s.noSplit(r.PathValue("route")))
		return
	}
	route := r.PathValue("route")
	if o.Reset {
		err = s.opts.Splits.ResetSplit(route, authorOf(r), o.Why)
	} else {
		err = s.opts.Splits.OrderSplit(route, split.Order{Weights: o.Weights, By: authorOf(r), Why: o.Why}, bound)
	}
	switch {
	case errors.Is(err, ErrNoSplit):
		refuse(w, 404, s.noSplit(route))
	case errors.Is(err, split.ErrWeights):
		refuse(w, 400, err.Error())
	case err != nil:
		refuse(w, 409, err.Error())
	default:
		s.tellSplit(w, route)
	}
}

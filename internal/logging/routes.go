package logging

import (
	"slices"

	"github.com/goodgate/goodgate/proxy"
)

// route returns a function that passes a request's record to the outputs of its route.
func (o *output) route(chosen map[string][]string) func(*proxy.Record) {
	usual := together(o.sinks, func(s *sink) bool { return !s.of.Chosen })
	if len(chosen) == 0 {
		return usual
	}
	byRoute := map[string]func(*proxy.Record){}
	for route, names := range chosen {
		byRoute[route] = together(o.sinks, func(s *sink) bool { return slices.Contains(names, s.of.Name) })
	}
	return func(r *proxy.Record) {
		if log, ok := byRoute[r.Route]; ok {
			log(r)
			return
		}
		usual(r)
	}
}

// together returns a function that passes a record to all selected sinks that accept
// requests.
func together(sinks []*sink, meant func(*sink) bool) func(*proxy.Record) {
	var all []func(*proxy.Record)
	for _, s := range sinks {
		if s.access != nil && meant(s) {
			all = append(all, s.access)
		}
	}
	switch len(all) {
	case 0:
		return func(*proxy.Record) {}
	case 1:
		return all[0]
	}
	return func(r *proxy.Record) {
		for _, log := range all {
			log(r)
		}
	}
}

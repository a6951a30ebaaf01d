//go:build !minimal

package admin

import "net/http/pprof"

// profileEndpoints returns the endpoints for profiles of the Go runtime.
func profileEndpoints() []Endpoint {
	return []Endpoint{
		{Pattern: "GET /debug/pprof/", Media: "*/*", Handler: pprof.Index, Does: "Profiles, for go tool pprof. The name of a profile may follow."},
		{Pattern: "GET /debug/pprof/profile", Media: binary, Handler: pprof.Profile, Query: []Param{{"seconds", "Length in seconds.", "integer"}}, Does: "A CPU profile."},
		{Pattern: "GET /debug/pprof/symbol", Handler: pprof.Symbol, Does: "The symbols of addresses, for go tool pprof."},
		{Pattern: "GET /debug/pprof/trace", Media: binary, Handler: pprof.Trace, Query: []Param{{"seconds", "Length in seconds.", "number"}}, Does: "A trace of the execution."},
	}
}

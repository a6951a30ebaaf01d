package admin

import "time"

// Source is the state of a source of upstreams.
type Source struct {
	Name      string    `json:"source"`                 // as in the configuration, for example "consul: app"
	Upstreams int       `json:"upstreams"`              // found last
	Looked    time.Time `json:"looked,omitzero"`        // the last successful lookup; zero = none yet
	Failing   time.Time `json:"failing_since,omitzero"` // zero = the last lookup succeeded
	Error     string    `json:"error,omitempty"`
	Failures  int       `json:"failures"`           // failed lookups
	LeftOut   []LeftOut `json:"left_out,omitempty"` // found but unused, the first 100
	Omitted   int       `json:"left_out_more,omitempty"`
}

// LeftOut is a candidate that is no upstream.
type LeftOut struct {
	What string `json:"what"`
	Why  string `json:"why"`
}

package admin

import "time"

// Source is how a place does where upstreams are found.
type Source struct {
	Name      string    `json:"source"`                 // as in the configuration, such as "consul: app"
	Upstreams int       `json:"upstreams"`              // that it found last
	Looked    time.Time `json:"looked,omitzero"`        // the last look that worked; zero = none has
	Failing   time.Time `json:"failing_since,omitzero"` // zero = the last look worked
	Error     string    `json:"error,omitempty"`
	Failures  int       `json:"failures"`           // looks that failed
	LeftOut   []LeftOut `json:"left_out,omitempty"` // what it found and does not use, the first 100
	Omitted   int       `json:"left_out_more,omitempty"`
}

// LeftOut is a candidate that is no upstream.
type LeftOut struct {
	What string `json:"what"`
	Why  string `json:"why"`
}

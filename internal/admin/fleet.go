package admin

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/goodgate/goodgate/internal/situation"
)

// Fleet is what is known of the instances that serve the same traffic.
type Fleet struct {
	Connected bool          `json:"connected"` // the store answers
	Since     time.Time     `json:"since"`     // when Connected changed last
	Error     string        `json:"error,omitempty"`
	Members   []FleetMember `json:"members"`          // this instance too; while the store is away, those known last
	Waiting   int           `json:"changes_waiting"`  // operator's changes that the store does not have yet
	Strangers int           `json:"other_secret"`     // instances that have another secret
	LostS     float64       `json:"fallback_seconds"` // that the store was away, in all
	Shares    []FleetShare  `json:"shares,omitempty"` // of what the instances divide among them
	Checks    *FleetChecks  `json:"checks,omitempty"` // absent = each instance checks all upstreams
}

// FleetShare is what this instance has of a limit that holds for all instances together.
type FleetShare struct {
	Of    string `json:"of"` // the key in the configuration
	Total int    `json:"total"`
	Share int    `json:"share"`
}

// FleetChecks is how the instances share the checks of upstreams.
type FleetChecks struct {
	Upstreams int `json:"upstreams"`
	Here      int `json:"here"` // that this instance checks for all
}

// FleetMember is an instance.
type FleetMember struct {
	ID      string    `json:"id"` // of the process
	Name    string    `json:"name"`
	Zone    string    `json:"zone,omitempty"`
	Version string    `json:"version"`
	Config  string    `json:"config"`            // hash of its configuration, without secrets
	Since   time.Time `json:"since"`             // when it started
	Clock   int       `json:"clock_seconds"`     // that its clock is ahead of the store's
	Own     bool      `json:"own"`               // it is this one
	Changes string    `json:"changes,omitempty"` // hash of the operators' changes in force there; empty = none
	Differs []string  `json:"differs,omitempty"` // from this one: version, config, changes; and clock, from the store's
}

// clockTolerance is how far a clock may be off, in seconds.
const clockTolerance = 5

// Compare says in what each member differs from this one.
func (f *Fleet) Compare() {
	i := slices.IndexFunc(f.Members, func(m FleetMember) bool { return m.Own })
	for j := range f.Members {
		m := &f.Members[j]
		if i >= 0 && m.Version != f.Members[i].Version {
			m.Differs = append(m.Differs, "version")
		}
		if i >= 0 && m.Config != f.Members[i].Config {
			m.Differs = append(m.Differs, "config")
		}
		if i >= 0 && m.Changes != f.Members[i].Changes {
			m.Differs = append(m.Differs, "changes")
		}
		if max(m.Clock, -m.Clock) > clockTolerance {
			m.Differs = append(m.Differs, "clock")
		}
	}
}

// Differing returns how many members have another version or configuration.
func (f *Fleet) Differing() (n int) {
	for _, m := range f.Members {
		if slices.Contains(m.Differs, "version") || slices.Contains(m.Differs, "config") {
			n++
		}
	}
	return n
}

// troubles are those of the fleet; f may be nil.
func (f *Fleet) troubles(now time.Time) (list []Trouble) {
	if f == nil {
		return nil
	}
	if !f.Connected {
		t := tell(situation.FleetAlone, situation.Facts{When: clock(f.Since, now), N: len(f.Members), Error: strings.TrimSuffix(f.Error, ".")}, false)
		t.First, t.Last = f.Since, now
		list = append(list, t)
	}
	if f.Strangers > 0 {
		list = append(list, tell(situation.FleetStrangers, situation.Facts{N: f.Strangers}, false))
	}
	if n := f.Differing(); n > 0 {
		list = append(list, tell(situation.FleetDiffers, situation.Facts{N: n, Of: len(f.Members) - 1}, false))
	}
	for _, m := range f.Members {
		if off := max(m.Clock, -m.Clock); m.Own && off > clockTolerance {
			list = append(list, tell(situation.FleetClock, situation.Facts{N: off}, false))
		}
	}
	return list
}

func (s *Server) fleet() *Fleet {
	if s.opts.Fleet == nil {
		return nil
	}
	return s.opts.Fleet()
}

func (s *Server) wholeFleet(w http.ResponseWriter, _ *http.Request) {
	if f := s.fleet(); f != nil {
		reply(w, 200, f)
		return
	}
	refuse(w, 404, "this instance is alone: there is no fleet in its configuration")
}

package admin

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/goodgate/goodgate/internal/situation"
)

// Fleet describes the instances that serve the same traffic.
type Fleet struct {
	Connected bool          `json:"connected"` // the store answers
	Since     time.Time     `json:"since"`     // last change of Connected
	Error     string        `json:"error,omitempty"`
	Members   []FleetMember `json:"members"`          // with this instance; while the store is away, the last known ones
	Waiting   int           `json:"changes_waiting"`  // operators' changes that the store does not have yet
	Strangers int           `json:"other_secret"`     // instances with another secret
	LostS     float64       `json:"fallback_seconds"` // total time without the store
	Shares    []FleetShare  `json:"shares,omitempty"` // this instance's part of divided limits
	Checks    *FleetChecks  `json:"checks,omitempty"` // absent = each instance checks all upstreams
}

// FleetShare is this instance's part of a limit for the whole fleet.
type FleetShare struct {
	Of    string `json:"of"` // the key in the configuration
	Total int    `json:"total"`
	Share int    `json:"share"`
}

// FleetChecks describes how the instances share the checks of upstreams.
type FleetChecks struct {
	Upstreams int `json:"upstreams"`
	Here      int `json:"here"` // upstreams that this instance checks for all
}

// FleetMember is an instance.
type FleetMember struct {
	ID      string    `json:"id"` // of the process
	Name    string    `json:"name"`
	Zone    string    `json:"zone,omitempty"`
	Version string    `json:"version"`
	Config  string    `json:"config"`            // hash of its configuration, without secrets
	Since   time.Time `json:"since"`             // start of the process
	Clock   int       `json:"clock_seconds"`     // its clock minus the store's
	Own     bool      `json:"own"`               // this instance
	Changes string    `json:"changes,omitempty"` // hash of the operators' changes in force there; empty = none
	Differs []string  `json:"differs,omitempty"` // version, config, changes: from this instance; clock: from the store
}

// clockTolerance is the accepted error of a clock, in seconds.
const clockTolerance = 5

// Compare sets the differences of each member from this instance.
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

// Differing returns the number of members with another version or configuration.
func (f *Fleet) Differing() (n int) {
	for _, m := range f.Members {
		if slices.Contains(m.Differs, "version") || slices.Contains(m.Differs, "config") {
			n++
		}
	}
	return n
}

// troubles returns those of the fleet; f may be nil.
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
	refuse(w, 404, "this instance is not in a fleet: its configuration has no fleet section")
}

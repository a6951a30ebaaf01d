package balancer

import (
	"maps"
	"time"
)

// Lifecycle is the state of an upstream as its source reports it, for example an
// orchestrator or a service registry.
type Lifecycle uint32

const (
	Serving     Lifecycle = iota // takes requests
	NotReady                     // exists, but takes no requests now
	Terminating                  // shuts down: takes no new requests; requests in flight finish
)

// String returns the word used in logs.
func (l Lifecycle) String() string {
	switch l {
	case NotReady:
		return "not_ready"
	case Terminating:
		return "terminating"
	}
	return "serving"
}

// Lifecycle returns the state that the upstream's source reports. It is safe for
// concurrent use.
func (u *Upstream) Lifecycle() Lifecycle { return Lifecycle(u.lifecycle.Load()) }

// LifecycleSince returns when the upstream's lifecycle last changed; zero if it never
// has. It is safe for concurrent use.
func (u *Upstream) LifecycleSince() time.Time {
	at := u.moments.staged.Load()
	if at == 0 {
		return time.Time{}
	}
	return time.Unix(0, at)
}

// enter sets the lifecycle of a new specification, and reports whether the upstream
// serves again. The pool's mu must be held, and the caller must recount.
func (u *Upstream) enter(l Lifecycle) (returned bool) {
	was := Lifecycle(u.lifecycle.Swap(uint32(l)))
	if was != l {
		u.moments.staged.Store(time.Now().UnixNano())
	}
	return was != Serving && l == Serving
}

// details are facts from the source of an upstream that requests do not need.
type details struct {
	zone     string
	metadata map[string]string
	fleetMax int
}

func newDetails(s Spec) *details {
	if s.Zone == "" && len(s.Metadata) == 0 && s.FleetMax == 0 {
		return nil
	}
	return &details{zone: s.Zone, metadata: maps.Clone(s.Metadata), fleetMax: s.FleetMax}
}

// Zone returns the zone of the upstream, for example a data centre; empty if unknown.
func (m *Member) Zone() string {
	if m.details == nil {
		return ""
	}
	return m.details.zone
}

// FleetMax returns how many requests all processes of the fleet together may have in
// flight on the upstream. MaxInFlight is this process's part. 0 = no common limit.
func (m *Member) FleetMax() int {
	if m.details == nil {
		return 0
	}
	return m.details.fleetMax
}

// Metadata returns the source's facts about the upstream, nil for none. The map is
// shared: do not modify it.
func (m *Member) Metadata() map[string]string {
	if m.details == nil {
		return nil
	}
	return m.details.metadata
}

package balancer

import (
	"maps"
	"time"
)

// Lifecycle is what the place where an upstream was found says about it: an
// orchestrator or a registry of services.
type Lifecycle uint32

const (
	Serving     Lifecycle = iota // takes requests
	NotReady                     // exists, and takes no requests yet, or takes none at present
	Terminating                  // is about to end: takes no new requests; those in flight go on
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

// Lifecycle returns what the place where the upstream was found says about it. It is
// safe for concurrent use.
func (u *Upstream) Lifecycle() Lifecycle { return Lifecycle(u.lifecycle.Load()) }

// LifecycleSince returns when the upstream's lifecycle last changed; zero when it never
// has. It is safe for concurrent use.
func (u *Upstream) LifecycleSince() time.Time {
	at := u.moments.staged.Load()
	if at == 0 {
		return time.Time{}
	}
	return time.Unix(0, at)
}

// enter takes the lifecycle of a new specification. It reports whether the upstream
// serves again. Called with the pool's mu held; the caller counts anew.
func (u *Upstream) enter(l Lifecycle) (returned bool) {
	was := Lifecycle(u.lifecycle.Swap(uint32(l)))
	if was != l {
		u.moments.staged.Store(time.Now().UnixNano())
	}
	return was != Serving && l == Serving
}

// details are what a source of upstreams tells beside what requests need.
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

// Zone returns where the upstream runs, such as a data centre; empty when nobody has
// said.
func (m *Member) Zone() string {
	if m.details == nil {
		return ""
	}
	return m.details.zone
}

// FleetMax returns how many requests at once all processes like this one may send to the
// upstream, of which MaxInFlight is this one's part; 0 = it is no part.
func (m *Member) FleetMax() int {
	if m.details == nil {
		return 0
	}
	return m.details.fleetMax
}

// Metadata returns what the source of the upstream tells about it, nil for nothing. It
// is shared and must not be changed.
func (m *Member) Metadata() map[string]string {
	if m.details == nil {
		return nil
	}
	return m.details.metadata
}

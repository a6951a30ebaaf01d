package metrics

import (
	"sync/atomic"
	"time"
)

// Fleet is the state of a fleet for metrics.
type Fleet struct {
	Connected bool // to the store
	Members   int
	Differing int           // members with another version or configuration
	Lost      time.Duration // total time without the store
	Waiting   int           // changes not yet in the store
}

// These are never changed.
var (
	fleetConnected = newDesc(namespace+"fleet_connected", "Whether the fleet's store answers.")
	fleetMembers   = newDesc(namespace+"fleet_members", "Live instances of the fleet, including this one; while the store is away, the last known number.")
	fleetDiffering = newDesc(namespace+"fleet_members_differing", "Instances of the fleet with another version or configuration than this one.")
	fleetWaiting   = newDesc(namespace+"fleet_changes_waiting", "Operators' changes that the fleet's store does not have yet.")
	fleetLost      = newDesc(namespace+"fleet_fallback_seconds_total", "Time that this instance worked alone because the fleet's store did not answer.")
)

// fleet reads the state of the fleet when it is collected.
type fleet struct {
	state atomic.Pointer[func() Fleet]
}

// SetFleet sets the function that returns the fleet's state. It may be called again.
func (m *Metrics) SetFleet(state func() Fleet) { m.fleet.state.Store(&state) }

// Describe and Collect implement [collector].
func (f *fleet) Describe(ch chan<- *desc) {
	for _, d := range []*desc{fleetConnected, fleetMembers, fleetDiffering, fleetWaiting, fleetLost} {
		ch <- d
	}
}

func (f *fleet) Collect(ch chan<- metric) {
	state := f.state.Load()
	if state == nil {
		return
	}
	s, connected := (*state)(), 0
	if s.Connected {
		connected = 1
	}
	gauge(ch, fleetConnected, connected)
	gauge(ch, fleetMembers, s.Members)
	gauge(ch, fleetDiffering, s.Differing)
	gauge(ch, fleetWaiting, s.Waiting)
	ch <- counterOf(fleetLost, s.Lost.Seconds())
}

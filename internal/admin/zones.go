package admin

import (
	"fmt"

	"github.com/goodgate/goodgate/balancer"
)

// Zones reports how a pool keeps requests in the zone of this goodgate.
type Zones struct {
	Own   string  `json:"own"`
	State string  `json:"state"` // on; or why requests go to all zones equally: unknown, alike, few, out
	Meant float64 `json:"meant"` // intended share of the own zone
	Kept  uint64  `json:"kept"`  // attempts in the own zone since the start
	Left  uint64  `json:"left"`  // attempts in other zones
}

func zonesOf(r balancer.ZoneReport) *Zones {
	if r.Own == "" {
		return nil
	}
	return &Zones{Own: r.Own, State: r.State.String(), Meant: r.Meant, Kept: r.Kept, Left: r.Left}
}

// zonesWhy explains why requests go to all zones equally. It is never changed.
var zonesWhy = map[string]string{
	balancer.ZonesUnknown.String(): "the zone of an upstream is unknown",
	balancer.ZonesAlike.String():   "all upstreams are in one zone",
	balancer.ZonesFew.String():     "the pool has too few upstreams (zone.min_upstreams)",
	balancer.ZonesOut.String():     "no upstream is available",
}

// Line describes it in words.
func (z *Zones) Line() string {
	if z.State != balancer.ZonesOn.String() {
		return fmt.Sprintf("zone %s: requests go to all zones equally: %s", z.Own, zonesWhy[z.State])
	}
	text := fmt.Sprintf("zone %s: %.0f %% of the requests should stay", z.Own, 100*z.Meant)
	if all := z.Kept + z.Left; all > 0 {
		text += fmt.Sprintf(", %.0f %% do", 100*float64(z.Kept)/float64(all))
	}
	return text
}

package admin

import (
	"testing"

	"github.com/goodgate/goodgate/balancer"
)

func TestZonesLine(t *testing.T) {
	t.Parallel()
	for want, r := range map[string]balancer.ZoneReport{
		"zone a: 60 % of the requests should stay, 75 % do":                                             {State: balancer.ZonesOn, Own: "a", Meant: 0.6, Kept: 3, Left: 1},
		"zone a: 100 % of the requests should stay":                                                     {State: balancer.ZonesOn, Own: "a", Meant: 1},
		"zone a: requests go to all zones equally: the zone of an upstream is unknown":                  {State: balancer.ZonesUnknown, Own: "a"},
		"zone a: requests go to all zones equally: all upstreams are in one zone":                       {State: balancer.ZonesAlike, Own: "a"},
		"zone a: requests go to all zones equally: the pool has too few upstreams (zone.min_upstreams)": {State: balancer.ZonesFew, Own: "a"},
	} {
		if got := zonesOf(r).Line(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if zonesOf(balancer.ZoneReport{}) != nil {
		t.Error("without a zone: got one")
	}
}

package metrics

import (
	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/proxy"
)

// Metrics of zones, if goodgate knows its own. They are never changed.
var (
	zoneActive = poolDesc("zone_active", "Whether requests stay in the zone of this goodgate.")
	zoneMeant  = poolDesc("zone_meant_ratio", "Share of the requests that should stay in the own zone.")
	zonePicks  = newDesc(namespace+"pool_zone_attempts_total", "Attempts while requests stay in the zone, by the upstream's zone: own or other.", "pool", "zone")
)

func collectZones(ch chan<- metric, p *proxy.Pool) {
	r := p.Zones()
	if r.Own == "" {
		return
	}
	gauge(ch, zoneActive, number(r.State == balancer.ZonesOn), p.Name())
	gauge(ch, zoneMeant, r.Meant, p.Name())
	count(ch, zonePicks, int64(r.Kept), p.Name(), "own")
	count(ch, zonePicks, int64(r.Left), p.Name(), "other")
}

package metrics

import (
	"maps"
	"slices"
	"sync/atomic"

	"github.com/goodgate/goodgate/internal/admin"
)

// Metrics of mirrors. They are never changed.
var (
	mirrorRequests  = newDesc(namespace+"mirror_requests_total", "Mirrored requests, by the result of the comparison with the client's answer.", "route", "pool", "result")
	mirrorDifferent = newDesc(namespace+"mirror_differences_total", "Mirrored requests with a different response, by the part that differs.", "route", "pool", "by")
	mirrorDropped   = newDesc(namespace+"mirror_dropped_total", "Requests that goodgate did not mirror, by the limit that prevented it.", "route", "pool", "bound")
	mirrorHeld      = newDesc(namespace+"mirror_held_bytes", "Memory of mirrored requests, in bytes.", "route", "pool")
)

// mirrors reads the present mirrors when it is collected.
type mirrors struct {
	reports atomic.Pointer[func() []admin.Mirror]
}

// SetMirrors sets the function that returns the present mirrors. It may be called
// again.
func (m *Metrics) SetMirrors(reports func() []admin.Mirror) { m.mirrors.reports.Store(&reports) }

// Describe and Collect implement [collector].
func (c *mirrors) Describe(ch chan<- *desc) {
	for _, d := range []*desc{mirrorRequests, mirrorDifferent, mirrorDropped, mirrorHeld} {
		ch <- d
	}
}

func (c *mirrors) Collect(ch chan<- metric) {
	reports := c.reports.Load()
	if reports == nil {
		return
	}
	for _, r := range (*reports)() {
		for result, n := range map[string]int{"same": r.Same, "different": r.Different, "failed": r.Failed} {
			ch <- counterOf(mirrorRequests, float64(n), r.Route, r.Pool, result)
		}
		for _, by := range slices.Sorted(maps.Keys(r.By)) {
			ch <- counterOf(mirrorDifferent, float64(r.By[by]), r.Route, r.Pool, by)
		}
		for bound, n := range r.Dropped {
			ch <- counterOf(mirrorDropped, float64(n), r.Route, r.Pool, string(bound))
		}
		gauge(ch, mirrorHeld, float64(r.Held), r.Route, r.Pool)
	}
}

package balancer

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkPickZones picks in a pool with three zones, with and without regard for them.
func BenchmarkPickZones(b *testing.B) {
	for _, policy := range Policies() {
		for _, n := range []int{12, 9000} {
			specs := zoned(map[string]int{"a": n / 3, "b": n / 3, "c": n / 3})
			for name, own := range map[string]string{"off": "", "on": "a"} {
				p := newTestPool(b, Options{Policy: policy, HashLoad: 1.25, Breaker: BreakerOptions{Enabled: true}, Zone: ZoneOptions{Own: own}}, specs...)
				b.Run(fmt.Sprintf("%s/%d/%s", policy, n, name), func(b *testing.B) {
					b.ReportAllocs()
					c := Choice{Now: time.Now().UnixNano()}
					for b.Loop() {
						benchPick(p, &c)
					}
				})
			}
		}
	}
}

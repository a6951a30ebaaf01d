package health

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/goodgate/goodgate/balancer"
)

// TestProbesOfOtherInstances has another process probe the same upstream. Its reports decide when this
// process probes, and never the verdict.
func TestProbesOfOtherInstances(t *testing.T) {
	const interval = 2 * time.Second
	var elsewhere atomic.Bool
	elsewhere.Store(true)
	o := Options{Interval: interval, Thresholds: balancer.Thresholds{Rise: 2, Fall: 2}, Elsewhere: func(*balancer.Upstream) bool { return elsewhere.Load() }}
	run(t, o, 1, func(t *testing.T, r *rig) {
		u := r.us[0]
		hear := func(passed bool, n int) (probes int) {
			r.take()
			for range n {
				r.Heard(u, passed)
				time.Sleep(interval)
			}
			return len(r.take())
		}
		probesIn := func(what string, got, least, most int) {
			t.Helper()
			if got < least || got > most {
				t.Errorf("%s: %d probes, want %d to %d", what, got, least, most)
			}
		}
		verdict := func(what string, want balancer.Health) {
			t.Helper()
			if u.Health() != want {
				t.Errorf("%s: the verdict is %v", what, u.Health())
			}
		}
		time.Sleep(interval)
		probesIn("while others pass", hear(true, 20), 0, 0)
		time.Sleep(20 * interval)
		probesIn("when nobody is heard any more", len(r.take()), 18, 21)
		probesIn("while others fail", hear(false, 20), 20, 45)
		verdict("while others fail, and its own probes pass", balancer.Up)
		hear(true, 2)
		r.err.Store(errRefused)
		time.Sleep(3 * interval)
		verdict("when its own probes fail", balancer.Down)
		probesIn("of one that is down for all", hear(false, 20), 20, 25)
		hear(true, 3)
		verdict("while others pass, and its own probes fail", balancer.Down)
		r.err.Store(nil)
		r.Heard(u, true)
		time.Sleep(interval / 2)
		verdict("when a pass is heard, and its own probes pass", balancer.Up)
		elsewhere.Store(false)
		time.Sleep(2 * interval)
		probesIn("when it is its own task", hear(true, 20), 18, 22)
	})
}

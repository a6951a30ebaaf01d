package balancer

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestLifecycle changes the lifecycle of a member while it has a request in flight.
func TestLifecycle(t *testing.T) {
	for _, l := range []Lifecycle{NotReady, Terminating} {
		t.Run(l.String(), func(t *testing.T) {
			var changes []Change
			p := newTestPool(t, Options{Notify: func(c Change) { changes = append(changes, c) }}, specsOf(2)...)
			lease := acquire(t, &p.Members()[0], 1)
			specs := specsOf(2)
			specs[0].Lifecycle, specs[0].Zone, specs[0].Metadata = l, "a", map[string]string{"version": "2"}
			before := p.Members()[0].Upstream
			p.Update(specs)
			m := &p.Members()[0]
			if m.Upstream != before || m.Available() || m.Lifecycle() != l || m.Zone() != "a" || m.Metadata()["version"] != "2" {
				t.Errorf("got same %v, available %v, lifecycle %v, zone %q, metadata %v", m.Upstream == before, m.Available(), m.Lifecycle(), m.Zone(), m.Metadata())
			}
			if m.InFlight() != 1 || m.Removed() {
				t.Errorf("its request does not go on: %d in flight, removed %v", m.InFlight(), m.Removed())
			}
			for range 100 {
				if got := p.Pick(&Choice{Replayable: true}); got == nil || got.Addr() != addr(1) {
					t.Fatalf("picked %v, want %s", got, addr(1))
				}
			}
			lease.Release()
			p.Update(specsOf(2))
			if !p.Members()[0].Available() || p.Members()[0].LifecycleSince().IsZero() {
				t.Error("it does not come back")
			}
			if len(changes) != 2 || changes[0].Available || !changes[1].Available {
				t.Errorf("told of %+v, want that it went and came back", changes)
			}
		})
	}
}

// TestLifecycleAlone has no serving member: the others get no traffic, even if they
// answer.
func TestLifecycleAlone(t *testing.T) {
	p := newTestPool(t, Options{Checked: true}, Spec{Addr: addr(0)})
	p.Members()[0].ObserveProbe(Passed, Thresholds{})
	p.Update([]Spec{{Addr: addr(0), Lifecycle: Terminating}})
	if m := p.Pick(&Choice{Replayable: true}); m != nil {
		t.Errorf("picked %s", m.Addr())
	}
}

// TestLifecycleTiers terminates half of tier 0, and as many members keep serving. That
// must not activate the next tier.
func TestLifecycleTiers(t *testing.T) {
	specs := append(specsOf(4), Spec{Addr: "10.1.0.0:80", Tier: 1})
	specs[0].Lifecycle, specs[1].Lifecycle = Terminating, Terminating
	p := newTestPool(t, Options{}, specs...)
	for range 1000 {
		if m := p.Pick(&Choice{Replayable: true}); m == nil || m.Tier != 0 || m.Lifecycle() != Serving {
			t.Fatalf("picked %+v", m)
		}
	}
}

// TestLifecycleSlowStart has a member become ready while another one serves.
func TestLifecycleSlowStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		specs := specsOf(2)
		specs[0].Lifecycle = NotReady
		p := newTestPool(t, Options{SlowStart: 10 * time.Second}, specs...)
		time.Sleep(time.Minute)
		p.Update(specsOf(2))
		if !p.Members()[0].Warming() || p.Members()[1].Warming() {
			t.Error("want the one that became ready to warm up, and not the other")
		}
		time.Sleep(11 * time.Second)
		if p.Members()[0].Warming() {
			t.Error("it warms up for ever")
		}
		p.Update(nil)
	})
}

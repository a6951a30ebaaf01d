package balancer

import (
	"testing"
	"testing/synctest"
	"time"
)

// A sign of leaving counts only once a probe agrees.
func TestSignOfLeaving(t *testing.T) {
	thresholds := Thresholds{Rise: 2, Fall: 3}
	for name, tc := range map[string]struct {
		unchecked bool
		probes    []Probe
		rests     bool
	}{
		"no probe yet":            {},
		"wrong":                   {probes: []Probe{Wrong}, rests: true},
		"refused":                 {probes: []Probe{Refused}, rests: true},
		"drains":                  {probes: []Probe{Drains}, rests: true},
		"passed":                  {probes: []Probe{Passed}},
		"passed, and then wrong":  {probes: []Probe{Passed, Wrong}},
		"silent":                  {probes: []Probe{Silent}},
		"silent, and then wrong":  {probes: []Probe{Silent, Wrong}, rests: true},
		"silent, and then passed": {probes: []Probe{Silent, Passed, Wrong}},
		"wrong, and then passed":  {probes: []Probe{Wrong, Passed}},
		"without probes":          {unchecked: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newTestPool(t, Options{Checked: !tc.unchecked}, specsOf(2)...)
				defer p.Update(nil)
				m := p.Members()
				if !tc.unchecked {
					m[0].ObserveProbe(Passed, thresholds)
					m[1].ObserveProbe(Passed, thresholds)
				}
				m[0].SaysLeaving(20 * time.Second)
				if got, want := len(m[0].Nudged()), 1; tc.unchecked == (got == want) {
					t.Errorf("%d probes asked for", got)
				}
				for _, probe := range tc.probes {
					m[0].ObserveProbe(probe, thresholds)
				}
				if got := m[0].Resting(); got != tc.rests {
					t.Errorf("rests %t, want %t", got, tc.rests)
				}
				time.Sleep(20*time.Second + time.Millisecond)
				synctest.Wait()
				m[0].ObserveProbe(Wrong, thresholds)
				if m[0].Resting() {
					t.Error("rests longer than the sign holds")
				}
			})
		})
	}
}

// A client that makes an application give signs all the time causes one more probe a
// second, and the passed probes count.
func TestSignsOfLeavingProbeRarely(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newTestPool(t, Options{Checked: true}, specsOf(2)...)
		defer p.Update(nil)
		m := p.Members()[0]
		asked := 0
		m.OnNudge(func() { asked++ })
		for range 100 {
			m.SaysLeaving(time.Minute)
			time.Sleep(100 * time.Millisecond)
		}
		if asked != 10 {
			t.Errorf("%d probes asked for in ten seconds, want 10", asked)
		}
	})
}

// A passed probe does not end a later rest that the upstream has requested without the
// need for a probe.
func TestProbeKeepsLaterRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newTestPool(t, Options{Checked: true}, specsOf(2)...)
		defer p.Update(nil)
		m := p.Members()
		m[0].ObserveProbe(Passed, Thresholds{})
		m[1].ObserveProbe(Passed, Thresholds{})
		m[0].SaysLeaving(time.Minute)
		m[0].ObserveProbe(Wrong, Thresholds{Rise: 2, Fall: 3})
		m[0].Rest(time.Minute)
		m[0].ObserveProbe(Passed, Thresholds{Rise: 2, Fall: 3})
		if !m[0].Resting() {
			t.Error("a passed probe has ended a rest by Goodgate-Drain")
		}
	})
}

// Once a probe agrees, failures since the sign are no fault: the breaker starts again.
func TestAnnouncedShutdownIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		breaker := BreakerOptions{Enabled: true, Consecutive: 2, OpenFor: time.Minute, MaxOpenFor: time.Minute}
		p := newTestPool(t, Options{Checked: true, Breaker: breaker, MaxEjected: 0.5}, specsOf(2)...)
		defer p.Update(nil)
		m := p.Members()
		m[0].ObserveProbe(Passed, Thresholds{})
		m[1].ObserveProbe(Passed, Thresholds{})
		late, _ := m[0].TryAcquire()
		for range 2 {
			lease, _ := m[0].TryAcquire()
			m[0].SaysLeaving(time.Minute)
			lease.Report(Failure, time.Millisecond)
			lease.Release()
		}
		if m[0].Breaker() != Open {
			t.Fatal("503s without a word of a probe do not count as failures")
		}
		m[0].ObserveProbe(Refused, Thresholds{Rise: 1, Fall: 1})
		late.Report(Failure, time.Millisecond)
		late.Release()
		if got := m[0].Breaker(); got != Closed || !m[0].Resting() {
			t.Errorf("breaker %v, rests %t; want closed and true", got, m[0].Resting())
		}
		m[0].ObserveProbe(Passed, Thresholds{Rise: 1, Fall: 1})
		if !m[0].Available() {
			t.Error("not available although it is back")
		}
	})
}

package balancer

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestConfigureKeepsState changes all options except the breaker's, and checks that the
// members keep their state.
func TestConfigureKeepsState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		breaker := BreakerOptions{Enabled: true, Consecutive: 2, OpenFor: time.Minute}
		p := newTestPool(t, Options{Name: "a", Policy: "first", Checked: true, MaxEjected: 0.5, Breaker: breaker}, specsOf(3)...)
		for _, m := range p.Members() {
			m.ObserveProbe(Passed, Thresholds{})
		}
		open, down, busy := &p.Members()[0], &p.Members()[1], &p.Members()[2]
		attempt(t, open, Unreachable)
		attempt(t, open, Unreachable)
		down.ObserveProbe(Refused, Thresholds{})
		lease := acquire(t, busy, 1)
		lease.Report(Success, 3*time.Millisecond)

		if err := p.Configure(Options{Policy: "p2c", Checked: true, MaxEjected: 0.5, SlowStart: time.Second, Breaker: breaker}); err != nil {
			t.Fatal(err)
		}
		type state struct {
			breaker  BreakerState
			health   Health
			inFlight int
			known    bool
		}
		want := []state{{Open, Up, 0, true}, {Closed, Down, 0, false}, {Closed, Up, 1, true}}
		for i, m := range p.Members() {
			if got := (state{m.Breaker(), m.Health(), m.InFlight(), m.Latency() > 0}); got != want[i] {
				t.Errorf("member %d: got %+v, want %+v", i, got, want[i])
			}
		}
		if p.Name() != "a" || p.Policy() != "p2c" {
			t.Errorf("got pool %q with policy %q, want a with p2c", p.Name(), p.Policy())
		}
		if m := p.Pick(&Choice{}); m == nil || m.Upstream != busy.Upstream {
			t.Errorf("picked %v, want the one that is left", m)
		}
		lease.Release()
		p.Update(nil)
	})
}

// TestConfigureBreaker changes the breaker's options: open breakers start again, and give
// back their ejection places.
func TestConfigureBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newTestPool(t, Options{Policy: "first", MaxEjected: 0.5, Breaker: BreakerOptions{Enabled: true, Consecutive: 2, OpenFor: time.Second}}, specsOf(2)...)
		a, b := &p.Members()[0], &p.Members()[1]
		late := acquire(t, a, 1)
		attempt(t, a, Unreachable)
		attempt(t, a, Unreachable)
		if a.Breaker() != Open {
			t.Fatalf("breaker %v, want open", a.Breaker())
		}
		p.Configure(Options{Policy: "first", MaxEjected: 0.5, Breaker: BreakerOptions{Enabled: true, Consecutive: 1, OpenFor: time.Second}})
		if a.Breaker() != Closed || !a.Available() {
			t.Errorf("after other rules: breaker %v, want closed", a.Breaker())
		}
		late.Report(Unreachable, 0) // was admitted under the old rules
		late.Release()
		if a.Breaker() != Closed {
			t.Errorf("a late result of before opened it: %v", a.Breaker())
		}
		attempt(t, a, Success) // so that the two do not fail alike
		attempt(t, b, Unreachable)
		if b.Breaker() != Open {
			t.Errorf("the new rule did not open it, or its ejection place is taken: %v", b.Breaker())
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if b.Breaker() != HalfOpen {
			t.Errorf("breaker %v after its open time, want half-open", b.Breaker())
		}
		p.Configure(Options{Policy: "first"})
		for range 10 {
			attempt(t, b, Unreachable)
		}
		if b.Breaker() != Closed {
			t.Errorf("breaker %v though switched off", b.Breaker())
		}
	})
}

// TestConfigureUnchecked ends the wait for probes that will never come.
func TestConfigureUnchecked(t *testing.T) {
	p := newTestPool(t, Options{Checked: true}, specsOf(1)...)
	m := &p.Members()[0]
	m.ObserveProbe(Refused, Thresholds{})
	p.Configure(Options{})
	if !m.Available() || p.Pick(&Choice{}) == nil {
		t.Errorf("unavailable (%v) though nothing probes it", m.Health())
	}
	if err := p.Configure(Options{Policy: "nothing"}); err == nil || p.Policy() != "peak_ewma" {
		t.Errorf("unknown policy: got %v, and policy %q", err, p.Policy())
	}
}

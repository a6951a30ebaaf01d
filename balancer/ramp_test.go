package balancer

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestSlowStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newTestPool(t, Options{Policy: "random", Checked: true, SlowStart: 10 * time.Second}, specsOf(2)...)
		m := p.Members()
		m[0].ObserveProbe(Passed, Thresholds{})
		m[1].ObserveProbe(Silent, Thresholds{})
		m[1].ObserveProbe(Passed, Thresholds{})
		check := func(when string, low, high int) {
			t.Helper()
			if got := counts(p, 10000, Choice{})[addr(1)]; got < low || got > high {
				t.Errorf("%s: got %d of 10000 picks, want %d to %d", when, got, low, high)
			}
		}
		// One draw in two falls on it, and one in two of the draws that replace a
		// declined one: at share s it gets s/(1+s).
		check("back", 700, 1150)
		time.Sleep(5 * time.Second)
		check("half way", 3000, 3650)
		m[0].SetOperator(Drain)
		check("alone", 10000, 10000)
		m[0].SetOperator(Ready)
		time.Sleep(5 * time.Second)
		check("at the end", 4700, 5300)
	})
}

// TestSlowStartAlone: without others to share the load there is no slow start. Otherwise
// only one member of a pool that returns as a whole would get requests.
func TestSlowStartAlone(t *testing.T) {
	t.Parallel()
	p := newTestPool(t, Options{Checked: true, SlowStart: time.Hour}, specsOf(2)...)
	m := p.Members()
	for i := range m {
		m[i].ObserveProbe(Silent, Thresholds{})
	}
	m[0].ObserveProbe(Passed, Thresholds{})
	if m[0].ramp.since.Load() != 0 {
		t.Error("the first one back ramps up, want its full share at once")
	}
	m[1].ObserveProbe(Passed, Thresholds{})
	if m[1].ramp.since.Load() == 0 {
		t.Error("the second one back does not ramp up")
	}
}

// TestSlowStartOfNewcomers checks that an upstream added to a serving pool ramps up,
// while those of the first set, which are all equally cold, do not.
func TestSlowStartOfNewcomers(t *testing.T) {
	t.Parallel()
	for _, checked := range []bool{true, false} {
		p := newTestPool(t, Options{Checked: checked, SlowStart: time.Hour}, specsOf(2)...)
		pass := func() {
			for _, m := range p.Members() {
				if checked {
					m.ObserveProbe(Passed, Thresholds{})
				}
			}
		}
		pass()
		p.Update(specsOf(3))
		pass()
		for i, m := range p.Members() {
			if got, want := m.ramp.since.Load() != 0, i == 2; got != want {
				t.Errorf("checked=%t: member %d ramps up: %t, want %t", checked, i, got, want)
			}
		}
	}
}

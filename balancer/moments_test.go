package balancer

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestMoments: an upstream knows when its availability changed, and how often lately.
func TestMoments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, err := NewPool(Options{Name: "app", Checked: true, SlowStart: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Update(nil)
		p.Update([]Spec{{Addr: "a:1"}, {Addr: "b:1"}})
		members := p.Members()
		u := members[0].Upstream
		joined := time.Now()
		if !u.Since().Equal(joined) || u.Flips(joined.Add(-time.Hour)) != 0 || !u.OperatorSince().IsZero() {
			t.Errorf("when it joins: since %v, %d changes, operator since %v", u.Since(), u.Flips(joined.Add(-time.Hour)), u.OperatorSince())
		}
		members[1].ObserveProbe(Passed, Thresholds{})
		time.Sleep(time.Second)
		u.ObserveProbe(Passed, Thresholds{})
		if !u.Since().Equal(joined.Add(time.Second)) || u.Flips(joined) != 1 {
			t.Errorf("when it is up: since %v, %d changes", u.Since(), u.Flips(joined))
		}
		time.Sleep(time.Second)
		u.ObserveProbe(Passed, Thresholds{})
		if !u.Since().Equal(joined.Add(time.Second)) || u.RefusedLive() {
			t.Errorf("another pass is no change, and nothing was refused: since %v", u.Since())
		}
		u.Refused()
		if !u.RefusedLive() || !u.Since().Equal(joined.Add(2*time.Second)) {
			t.Errorf("after a refused connection: %v, since %v", u.RefusedLive(), u.Since())
		}
		u.ObserveProbe(Passed, Thresholds{})
		if u.RefusedLive() || !u.Warming() {
			t.Errorf("after a pass: refused %v, warming up %v", u.RefusedLive(), u.Warming())
		}
		time.Sleep(2 * time.Minute)
		if u.Warming() {
			t.Error("still warming up after its slow start")
		}
		u.SetOperator(Drain)
		if !u.OperatorSince().Equal(time.Now()) || !u.Since().Equal(time.Now()) {
			t.Errorf("drained: operator since %v, since %v", u.OperatorSince(), u.Since())
		}
		for range 2 * flipsKept {
			u.SetOperator(Ready)
			u.SetOperator(Drain)
		}
		if n := u.Flips(joined); n != flipsKept {
			t.Errorf("%d changes are remembered, want %d", n, flipsKept)
		}
		time.Sleep(time.Hour)
		if n := u.Flips(time.Now().Add(-time.Minute)); n != 0 {
			t.Errorf("%d changes in the last minute, want none", n)
		}
	})
}

package balancer_test

import (
	"testing"

	. "github.com/goodgate/goodgate/balancer"
)

// TestObserveVerdict follows another upstream's verdicts, without thresholds of its own.
func TestObserveVerdict(t *testing.T) {
	t.Parallel()
	type step struct {
		other Health
		p     Probe
		want  Health
	}
	f := func(name string, before func(*Upstream), steps ...step) {
		t.Helper()
		p, err := NewPool(Options{Name: "app", Checked: true})
		if err != nil {
			t.Fatal(err)
		}
		p.Update([]Spec{{Addr: "10.0.0.1:80"}})
		u := p.Upstreams()[0]
		if before != nil {
			before(u)
		}
		for i, s := range steps {
			was := u.Health()
			flipped := u.ObserveVerdict(s.other, s.p, Thresholds{Rise: 5, Fall: 5})
			if u.Health() != s.want || flipped != (was != s.want) {
				t.Errorf("%s, step %d: got %v (flipped %v), want %v", name, i, u.Health(), flipped, s.want)
			}
		}
	}
	f("up and down at once", nil, step{Up, Passed, Up}, step{Down, Wrong, Down}, step{Up, Passed, Up}, step{Draining, Drains, Draining}, step{Up, Passed, Up})
	f("a failure that is not the verdict yet", nil, step{Up, Passed, Up}, step{Up, Wrong, Up}, step{Up, Silent, Up}, step{Down, Silent, Down})
	f("a pass that is not the verdict yet", nil, step{Down, Refused, Down}, step{Down, Passed, Down}, step{Up, Passed, Up})
	f("the first verdict with a failed probe", nil, step{Up, Wrong, Up})
	f("refused by live traffic", (*Upstream).Refused, step{Up, Wrong, Down}, step{Up, Silent, Down}, step{Up, Passed, Up})
	f("own verdict before", func(u *Upstream) { u.ObserveProbe(Passed, Thresholds{Rise: 1, Fall: 1}) }, step{Down, Wrong, Down}, step{Up, Passed, Up})
}

package balancer

import (
	"testing"
	"time"
)

// TestWarm checks that an upstream known as up from another process is used at once, and
// one known as down or draining is not.
func TestWarm(t *testing.T) {
	from := newTestPool(t, Options{Checked: true}, specsOf(3)...)
	m := from.Members()
	m[0].ObserveProbe(Passed, Thresholds{})
	m[1].ObserveProbe(Refused, Thresholds{})
	m[2].ObserveProbe(Passed, Thresholds{})
	m[2].SetOperator(Drain)
	l := acquire(t, &m[0], 1)
	l.Report(Success, 30*time.Millisecond)
	l.Release()

	to := newTestPool(t, Options{Checked: true})
	to.Warm(from.States())
	specs := specsOf(4)
	specs[2].Operator = Drain // is not the upstream's to remember
	to.Update(specs)
	want := []bool{true, false, false, false} // the fourth is new and waits for its first probe
	for i, m := range to.Members() {
		if m.Available() != want[i] {
			t.Errorf("member %d: available %t, want %t", i, m.Available(), want[i])
		}
	}
	if got := to.Members()[0].Latency(); got < 20*time.Millisecond || got > 30*time.Millisecond {
		t.Errorf("latency %v, want about 30ms", got)
	}
	if got := to.Members()[2].Operator(); got != Drain {
		t.Errorf("operator %v, want drain", got)
	}
}

package balancer

import "testing"

// TestDoubt checks that Doubt asks for a probe and starts a trial, while the upstream
// stays available.
func TestDoubt(t *testing.T) {
	t.Parallel()
	p := newTestPool(t, Options{Checked: true}, specsOf(2)...)
	m, other := &p.Members()[0], &p.Members()[1]
	for _, u := range []*Member{m, other} {
		u.ObserveProbe(Passed, Thresholds{Rise: 1, Fall: 1})
		u.trial.end()
	}
	p.Doubt(m.Addr())
	if !m.Available() || m.proven() || len(m.Nudged()) != 1 {
		t.Errorf("available %v, proven %v, %d nudges; want it on trial and nudged", m.Available(), m.proven(), len(m.Nudged()))
	}
	if !other.proven() || len(other.Nudged()) != 0 {
		t.Error("another upstream is doubted too")
	}
	m.ObserveProbe(Passed, Thresholds{Rise: 1, Fall: 1})
	if !m.proven() {
		t.Error("a passed probe does not end the doubt")
	}
	p.Doubt("nobody:1")
}

// TestDoubtCountsAnew: only probes after the latest doubt count towards rise.
func TestDoubtCountsAnew(t *testing.T) {
	t.Parallel()
	p := newTestPool(t, Options{Checked: true}, specsOf(2)...)
	m, rule := &p.Members()[0], Thresholds{Rise: 2, Fall: 2}
	pass := func(when string, proven bool) {
		t.Helper()
		if m.ObserveProbe(Passed, rule); m.proven() != proven {
			t.Errorf("after a pass %s: proven %v, want %v", when, m.proven(), proven)
		}
	}
	for range 3 {
		m.ObserveProbe(Passed, rule)
	}
	p.Doubt(m.Addr())
	pass("after the doubt", false)
	p.Doubt(m.Addr())
	pass("after a second doubt", false)
	pass("once more", true)
	pass("later", true)
}

package balancer

import "testing"

func TestStreak(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		rise, fall int
		probes     string // p = passed, f = failed
		want       string // after each: u = up, d = down
	}{
		{"first pass", 3, 3, "p", "u"},
		{"first failure", 3, 3, "f", "d"},
		{"falls", 2, 3, "pffff", "uuudd"},
		{"a pass starts the count anew", 2, 3, "pffpfff", "uuuuuud"},
		{"rises", 2, 3, "fppp", "dduu"},
		{"a failure starts the count anew", 2, 3, "fpfpp", "ddddu"},
		{"zero value flips at once", 0, 0, "pfpf", "udud"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var s streak
			h, got := Checking, ""
			for _, p := range tt.probes {
				h = s.next(h, p == 'p', Thresholds{Rise: tt.rise, Fall: tt.fall})
				got += map[Health]string{Up: "u", Down: "d", Checking: "c"}[h]
			}
			if got != tt.want {
				t.Errorf("%s: got %s, want %s", tt.probes, got, tt.want)
			}
		})
	}
}

// TestRefused: it is down at once, and one pass brings it back.
func TestRefused(t *testing.T) {
	t.Parallel()
	thresholds := Thresholds{Rise: 3, Fall: 3}
	p := newTestPool(t, Options{Checked: true}, specsOf(2)...)
	m := &p.Members()[0]
	m.ObserveProbe(Passed, thresholds)
	m.Refused()
	if m.Health() != Down || m.Available() || len(m.Nudged()) != 1 {
		t.Errorf("got %v, available %v, %d nudges; want down and nudged", m.Health(), m.Available(), len(m.Nudged()))
	}
	if !m.ObserveProbe(Passed, thresholds) || m.Health() != Up {
		t.Errorf("after one pass: got %v, want up", m.Health())
	}
}

// TestRefusedUnchecked: without probes nothing would bring it back.
func TestRefusedUnchecked(t *testing.T) {
	t.Parallel()
	p := newTestPool(t, Options{}, specsOf(1)...)
	p.Members()[0].Refused()
	if !p.Members()[0].Available() {
		t.Error("got unavailable, want available")
	}
}

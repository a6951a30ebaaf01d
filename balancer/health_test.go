package balancer

import "testing"

func TestStreak(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		rise, fall int
		probes     string // p = passed, f = failed, d = drains
		want       string // after each: u = up, d = down, o = draining
	}{
		{"first pass", 3, 3, "p", "u"},
		{"first failure", 3, 3, "f", "d"},
		{"falls", 2, 3, "pffff", "uuudd"},
		{"a pass restarts the count", 2, 3, "pffpfff", "uuuuuud"},
		{"rises", 2, 3, "fppp", "dduu"},
		{"a failure restarts the count", 2, 3, "fpfpp", "ddddu"},
		{"drains at once", 2, 3, "pdddp", "uooou"},
		{"drains and goes", 2, 3, "pdfffpp", "uoooddu"},
		{"a draining upstream with occasional failures", 2, 3, "pdffdff", "uoooooo"},
		{"is down and drains", 2, 3, "fdp", "dou"},
		{"drains from the start", 2, 3, "dp", "ou"},
		{"zero value flips at once", 0, 0, "pfpf", "udud"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var s streak
			h, got := Checking, ""
			for _, p := range tt.probes {
				h = s.next(h, map[rune]Probe{'p': Passed, 'f': Wrong, 'd': Drains}[p], Thresholds{Rise: tt.rise, Fall: tt.fall})
				got += map[Health]string{Up: "u", Down: "d", Checking: "c", Draining: "o"}[h]
			}
			if got != tt.want {
				t.Errorf("%s: got %s, want %s", tt.probes, got, tt.want)
			}
		})
	}
}

// TestRefused: a refused connection makes an upstream down at once, and one passed
// probe makes it up.
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

// TestDraining: an upstream whose probes announce a drain is out at once and back at
// once. The last one still gets requests.
func TestDraining(t *testing.T) {
	t.Parallel()
	thresholds := Thresholds{Rise: 3, Fall: 3}
	p := newTestPool(t, Options{Checked: true}, specsOf(2)...)
	m := p.Members()
	for i := range m {
		m[i].ObserveProbe(Passed, thresholds)
	}
	if !m[0].ObserveProbe(Drains, thresholds) || m[0].Available() || m[0].Health() != Draining {
		t.Errorf("got %v, available %v; want draining and out", m[0].Health(), m[0].Available())
	}
	m[1].ObserveProbe(Drains, thresholds)
	if !m[0].Available() || !m[1].Available() {
		t.Error("all drain: got them out, want them used, since nobody else would take their requests")
	}
	m[0].ObserveProbe(Passed, thresholds)
	if !m[0].Available() || m[1].Available() {
		t.Errorf("one is back: got %v and %v, want only the first", m[0].Available(), m[1].Available())
	}
}

package balancer

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// ejecting are options with which the first failure opens a breaker.
func ejecting(share float64) Options {
	return Options{
		MaxEjected: share,
		Breaker:    BreakerOptions{Enabled: true, Consecutive: 1, OpenFor: 5 * time.Second},
	}
}

// open returns how many of the pool's breakers are open.
func open(p *Pool) (n int) {
	for _, m := range p.Members() {
		if m.Breaker() == Open {
			n++
		}
	}
	return n
}

// failAll makes one request fail on every member.
func failAll(t *testing.T, p *Pool) {
	t.Helper()
	for i := range p.Members() {
		attempt(t, &p.Members()[i], Failure)
	}
}

func TestEjectionFloor(t *testing.T) {
	t.Parallel()
	f := func(share float64, n, down, want int) {
		t.Helper()
		p := newTestPool(t, ejecting(share), specsOf(n)...)
		for i := range down {
			p.Members()[n-1-i].SetOperator(Drain)
		}
		failAll(t, p)
		if got := open(p); got != want {
			t.Errorf("%d members, %d drained, at most %v ejected: got %d open, want %d", n, down, share, got, want)
		}
		p.Update(nil)
	}
	f(0, 10, 0, 0)
	f(0.5, 10, 0, 5)
	f(0.1, 4, 0, 1) // one place at least
	f(1, 4, 0, 2)   // beyond that, they fail alike
	f(1, 1, 0, 0)
	f(1, 2, 1, 1) // the drained one's breaker opens, the other is the last
	f(1, 4, 3, 3)
}

// TestEjectionFloorWhileHalfOpen: a member with a half-open breaker is no replacement.
func TestEjectionFloorWhileHalfOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newTestPool(t, ejecting(1), specsOf(2)...)
		m := p.Members()
		attempt(t, &m[0], Failure)
		time.Sleep(7 * time.Second)
		if got := m[0].Breaker(); got != HalfOpen {
			t.Fatalf("got %v, want half-open", got)
		}
		attempt(t, &m[1], Failure)
		if got := m[1].Breaker(); got != Closed {
			t.Errorf("the last one that takes traffic: got %v, want closed", got)
		}
		attempt(t, &m[0], Success)
		attempt(t, &m[0], Success)
		attempt(t, &m[1], Failure)
		if got := m[1].Breaker(); got != Open {
			t.Errorf("with the other one back: got %v, want open", got)
		}
		p.Update(nil)
	})
}

// TestEjectionPlaceIsReturned: an upstream gives back its ejection place when its breaker
// closes or it leaves.
func TestEjectionPlaceIsReturned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newTestPool(t, ejecting(0.3), specsOf(4)...)
		m := p.Members()
		attempt(t, &m[0], Failure)
		attempt(t, &m[1], Failure)
		if got := open(p); got != 1 {
			t.Fatalf("got %d open, want 1", got)
		}
		time.Sleep(7 * time.Second)
		attempt(t, &m[0], Success)
		attempt(t, &m[0], Success)
		attempt(t, &m[1], Failure)
		if got := m[1].Breaker(); got != Open {
			t.Errorf("after the first closed: got %v, want open", got)
		}
		p.Update(append(specsOf(1), specsOf(4)[2:]...)) // without the second
		attempt(t, &p.Members()[2], Failure)
		if got := p.Members()[2].Breaker(); got != Open {
			t.Errorf("after the ejected one left: got %v, want open", got)
		}
		p.Update(nil)
	})
}

// TestEjectionFloorUnderConcurrency: breakers that open at the same time do not pass
// the floor together.
func TestEjectionFloorUnderConcurrency(t *testing.T) {
	t.Parallel()
	for range 20 {
		p := newTestPool(t, ejecting(0.4), specsOf(8)...)
		var wg sync.WaitGroup
		for i := range p.Members() {
			m := &p.Members()[i]
			wg.Go(func() {
				for range 20 {
					if l, ok := m.TryAcquire(); ok {
						l.Report(Failure, 1)
						l.Release()
					}
				}
			})
		}
		wg.Wait()
		if got := open(p); got != 3 {
			t.Fatalf("got %d of 8 open, want 3", got)
		}
		p.Update(nil)
	}
}

// TestTrust: if no member passes its probes, members that answer are used.
func TestTrust(t *testing.T) { synctest.Test(t, testTrust) }

func testTrust(t *testing.T) {
	f := func(name string, heard func(*Member), want bool) {
		t.Helper()
		p := newTestPool(t, Options{Checked: true}, specsOf(2)...)
		m := &p.Members()[0]
		m.ObserveProbe(Passed, Thresholds{})
		p.Members()[1].ObserveProbe(Refused, Thresholds{})
		if m.Trusted() || !m.Available() {
			t.Fatalf("%s: passing its probes: trusted %v, available %v", name, m.Trusted(), m.Available())
		}
		time.Sleep(time.Second)
		heard(m)
		if got := m.Trusted(); got != want || m.Available() != want {
			t.Errorf("%s: got trusted %v, available %v, want %v", name, got, m.Available(), want)
		}
	}
	probe := func(p Probe) func(*Member) {
		return func(m *Member) { m.ObserveProbe(p, Thresholds{}) }
	}
	f("wrong answer", probe(Wrong), true)
	f("silent after it was heard", probe(Silent), true)
	f("refused", probe(Refused), false)
	f("traffic refused", func(m *Member) { m.Refused() }, false)
	f("traffic lost after", func(m *Member) {
		m.ObserveProbe(Wrong, Thresholds{})
		time.Sleep(time.Second)
		attempt(t, m, Unreachable)
	}, false)
	f("traffic answered after", func(m *Member) {
		m.ObserveProbe(Refused, Thresholds{})
		time.Sleep(time.Second)
		attempt(t, m, Failure)
	}, true)
	f("drained", func(m *Member) {
		m.ObserveProbe(Wrong, Thresholds{})
		m.SetOperator(Drain)
		m.SetOperator(Ready)
	}, true)
}

// TestTrustEnds: trust ends with the first member that passes its probes.
func TestTrustEnds(t *testing.T) {
	t.Parallel()
	p := newTestPool(t, Options{Checked: true}, specsOf(3)...)
	m := p.Members()
	for i := range m {
		m[i].ObserveProbe(Wrong, Thresholds{})
	}
	if got := len(counts(p, 200, Choice{})); got != 3 {
		t.Fatalf("all fail their probes but answer: got %d members in use, want 3", got)
	}
	p.Update(specsOf(3))
	if got := len(counts(p, 200, Choice{})); got != 3 {
		t.Fatalf("after an update: got %d members in use, want 3", got)
	}
	m = p.Members()
	m[1].ObserveProbe(Passed, Thresholds{})
	if got := counts(p, 100, Choice{}); got[addr(1)] != 100 {
		t.Errorf("one passes: got %v, want only that one", got)
	}
}

func TestNotify(t *testing.T) {
	t.Parallel()
	type change struct {
		addr      string
		available bool
		left      int
	}
	var got []change
	o := ejecting(1)
	o.Checked = true
	var p *Pool
	o.Notify = func(c Change) {
		p.InFlight()
		p.othersAvailable(c.Upstream) // would block if a lock were held
		got = append(got, change{c.Upstream.Addr(), c.Available, c.Left})
	}
	p = newTestPool(t, o, specsOf(2)...)
	m := p.Members()
	m[0].ObserveProbe(Passed, Thresholds{})
	m[0].ObserveProbe(Passed, Thresholds{})
	m[1].ObserveProbe(Passed, Thresholds{})
	attempt(t, &m[0], Failure)
	m[0].SetOperator(Drain)
	m[1].ObserveProbe(Silent, Thresholds{})
	p.Update(nil)
	want := []change{{addr(0), true, 1}, {addr(1), true, 2}, {addr(0), false, 1}, {addr(1), false, 0}}
	if len(got) != len(want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("change %d: got %v, want %v", i, got[i], want[i])
		}
	}
}

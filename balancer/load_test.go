package balancer

import (
	"testing"
	"time"
)

// TestLeastLoadedWins: among two members the policies that count requests in
// flight take the one with fewer of them for its weight.
func TestLeastLoadedWins(t *testing.T) {
	t.Parallel()
	f := func(policy string, weights [2]int, inFlight [2]int, want int) {
		t.Helper()
		p := newTestPool(t, Options{Policy: policy}, weighted(weights[:]...)...)
		for i, n := range inFlight {
			attempt(t, &p.Members()[i], Success)
			acquire(t, &p.Members()[i], n)
		}
		if got := counts(p, 100, Choice{})[addr(want)]; got != 100 {
			t.Errorf("%s, weights %v, in flight %v: member %d got %d of 100", policy, weights, inFlight, want, got)
		}
	}
	for _, policy := range []string{"p2c", "least_conn"} {
		f(policy, [2]int{1, 1}, [2]int{3, 2}, 1)
		f(policy, [2]int{3, 1}, [2]int{5, 2}, 0)
		f(policy, [2]int{3, 1}, [2]int{7, 2}, 1)
		f(policy, [2]int{1, 1000}, [2]int{1, 999}, 1)
	}
}

// TestLeastConnIsFair: every one of equally loaded members gets its turn,
// wherever the busy ones are.
func TestLeastConnIsFair(t *testing.T) {
	t.Parallel()
	p := newTestPool(t, Options{Policy: "least_conn"}, specsOf(10)...)
	for i := range 7 {
		acquire(t, &p.Members()[i], 1)
	}
	for addr, got := range counts(p, 9000, Choice{}) {
		if got < 2700 || got > 3300 {
			t.Errorf("%s: got %d of 9000 picks, want about 3000", addr, got)
		}
	}
}

// report gives m one finished request that took rtt.
func report(t *testing.T, m *Member, o Outcome, rtt time.Duration) {
	t.Helper()
	l := acquire(t, m, 1)
	l.Report(o, rtt)
	l.Release()
}

func TestPeakEWMAPrefersTheFast(t *testing.T) {
	t.Parallel()
	p := newTestPool(t, Options{Policy: "peak_ewma"}, specsOf(3)...)
	m := p.Members()
	report(t, &m[0], Success, time.Millisecond)
	report(t, &m[1], Success, 50*time.Millisecond)
	report(t, &m[2], Failure, time.Microsecond)
	got := counts(p, 3000, Choice{})
	if got[addr(0)] < 1900 || got[addr(2)] != 0 {
		t.Errorf("got %v, want the fast one whenever it is drawn, and the failing one never", got)
	}
	acquire(t, &m[0], 99)
	if got := counts(p, 3000, Choice{}); got[addr(1)] < 1900 {
		t.Errorf("the fast one is busy: got %v, want the slow one whenever it is drawn", got)
	}
}

func TestPeakEWMATriesANewcomerOnce(t *testing.T) {
	t.Parallel()
	p := newTestPool(t, Options{Policy: "peak_ewma"}, specsOf(2)...)
	m := p.Members()
	report(t, &m[0], Success, time.Microsecond)
	if got := counts(p, 100, Choice{})[addr(1)]; got != 100 {
		t.Errorf("newcomer without a request: got %d of 100, want all", got)
	}
	l := acquire(t, &m[1], 1)
	if got := counts(p, 100, Choice{})[addr(1)]; got != 0 {
		t.Errorf("newcomer with its first request in flight: got %d of 100, want none", got)
	}
	l.Report(Success, time.Nanosecond)
	l.Release()
	if got := counts(p, 100, Choice{})[addr(1)]; got != 100 {
		t.Errorf("newcomer that answered faster: got %d of 100, want all", got)
	}
}

func TestSticky(t *testing.T) {
	t.Parallel()
	o := Options{Policy: "sticky", SlowStart: time.Hour}
	p := newTestPool(t, o, specsOf(10)...)
	home := &p.Members()[4]
	home.ramp.begin(time.Now())
	c := Choice{Sticky: home.ID()}
	if got := counts(p, 100, c)[home.Addr()]; got != 100 {
		t.Errorf("home is ramping up: got %d of 100, want all", got)
	}
	c.Tried = []*Upstream{home.Upstream}
	if m := p.Pick(&c); m == nil || m == home {
		t.Errorf("home was tried: got %v, want another", m)
	}
	home.SetOperator(Drain)
	if got := len(counts(p, 100, Choice{Sticky: home.ID()})); got != 9 {
		t.Errorf("home is drained: got %d different members, want 9", got)
	}
}

func TestFirst(t *testing.T) {
	t.Parallel()
	p := newTestPool(t, Options{Policy: "first"}, specsOf(3)...)
	for i := range 3 {
		if got := p.Pick(&Choice{}); got != &p.Members()[i] {
			t.Errorf("got %v, want member %d", got, i)
		}
		p.Members()[i].SetOperator(Drain)
	}
}

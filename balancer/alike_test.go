package balancer

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// usual are a breaker's default options.
var usual = BreakerOptions{Enabled: true, Consecutive: 5, FailureRatio: 0.5, MinRequests: 10, OpenFor: 5 * time.Second, MaxOpenFor: time.Minute}

// serve sends 100 requests a second for d to the members that the pool picks. fails
// decides which of them fail.
func serve(t *testing.T, p *Pool, d time.Duration, fails func(*Member) bool) {
	t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		m := p.Pick(&Choice{Replayable: true})
		if m == nil {
			continue
		}
		o := Success
		if fails(m) {
			o = Failure
		}
		attempt(t, m, o)
	}
	synctest.Wait() // a look at all may be due at this very moment
}

// findings collects what a pool finds. It is read after synctest.Wait.
func findings(o *Options) *[]FindingKind {
	var got []FindingKind
	o.Tell = func(f Finding) {
		if f.Over {
			f.Kind += 100
		}
		got = append(got, f.Kind)
	}
	return &got
}

// TestCommonCause: if something shared by all upstreams breaks, none stays ejected, and
// all are available as soon as it works again. If one upstream is healthy, the others
// are ejected.
func TestCommonCause(t *testing.T) {
	for policy, sizes := range map[string][]int{"round_robin": {2, 3, 5, 20}, "peak_ewma": {2, 3, 5}, "least_conn": {2, 3, 5}} {
		for _, n := range sizes {
			if raceEnabled && n > 2 {
				continue
			}
			synctest.Test(t, func(t *testing.T) {
				o := Options{Policy: policy, MaxEjected: 0.5, Breaker: usual}
				got := findings(&o)
				p := newTestPool(t, o, specsOf(n)...)
				defer p.Update(nil)
				none := func(*Member) bool { return false }
				all := func(*Member) bool { return true }
				allButOne := func(m *Member) bool { return m.Addr() != addr(n-1) }

				serve(t, p, 20*time.Second, none)
				serve(t, p, 10*time.Second, all)
				if open(p) != 0 || len(*got) != 1 || (*got)[0] != Alike {
					t.Errorf("%s, %d members, all fail: got %d open, findings %v, want none open and it said once", policy, n, open(p), *got)
				}
				serve(t, p, 10*time.Second, none)
				if open(p) != 0 || !slices.Equal(*got, []FindingKind{Alike, Alike + 100}) {
					t.Errorf("%s, %d members, all work again: got %d open, findings %v", policy, n, open(p), *got)
				}
				serve(t, p, 10*time.Second, allButOne)
				// Peak EWMA sends too few requests to the others to judge them.
				if want := max(n/2, 1); open(p) == 0 && policy != "peak_ewma" || open(p) > want {
					t.Errorf("%s, %d members, one does well: got %d open, want 1 to %d", policy, n, open(p), want)
				}
			})
		}
	}
}

func TestAlike(t *testing.T) {
	t.Parallel()
	type counts struct{ answered, failed int }
	f := func(name string, want bool, members ...counts) {
		t.Helper()
		p := newTestPool(t, Options{}, specsOf(len(members))...)
		for i, c := range members {
			m := &p.Members()[i]
			for range c.answered {
				attempt(t, m, Success)
			}
			for range c.failed {
				attempt(t, m, Failure)
			}
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if _, _, got := p.alike(p.Members()[0].Upstream, time.Now()); got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
	f("the only one", false, counts{0, 5})
	f("both", true, counts{0, 5}, counts{100, 2})
	f("the other is healthy", false, counts{0, 5}, counts{100, 0})
	f("no results of the other", false, counts{0, 5}, counts{})
	f("two of three", true, counts{0, 5}, counts{100, 3}, counts{100, 1})
	f("one of three", false, counts{0, 5}, counts{100, 1}, counts{100, 1})
	f("all but a healthy one", false, counts{0, 5}, counts{0, 5}, counts{0, 5}, counts{5, 0})
	f("all but a new one", true, counts{0, 5}, counts{0, 5}, counts{0, 5}, counts{4, 0})
}

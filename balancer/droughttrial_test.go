package balancer

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// lateBreakers are options with which the first failure opens a breaker for longer than
// any of these tests.
func lateBreakers(checked bool) Options {
	o := ejecting(1)
	o.Checked = checked
	o.Breaker.OpenFor, o.Breaker.MaxOpenFor = time.Minute, time.Hour
	return o
}

// soon is longer than a breaker takes to end its open time early.
const soon = 2 * wakeDelay

// ejectedPool has n members, all ejected except the last. All pass their probes.
func ejectedPool(t *testing.T, o Options, n int) (*Pool, []Member) {
	t.Helper()
	p := newTestPool(t, o, specsOf(n)...)
	m := p.Members()
	for i := range m {
		m[i].ObserveProbe(Passed, Thresholds{})
	}
	last := &m[n-1]
	for range fineRow {
		attempt(t, last, Success) // else they would fail alike
	}
	for i := range n - 1 {
		attempt(t, &m[i], Failure)
	}
	if got := open(p); got != n-1 {
		t.Fatalf("got %d open, want %d", got, n-1)
	}
	return p, m
}

// TestEarlyTrial: when the last available member fails, a member that passes its probes
// is tried at once, and requests do not wait for its breaker.
func TestEarlyTrial(t *testing.T) {
	t.Parallel()
	f := func(name string, checked bool, goes func(t *testing.T, p *Pool, last *Member), want BreakerState) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, m := ejectedPool(t, lateBreakers(checked), 2)
				defer p.Update(nil)
				time.Sleep(soon)
				goes(t, p, &m[1])
				time.Sleep(soon)
				if got := m[0].Breaker(); got != want {
					t.Errorf("got %v, want %v", got, want)
				}
				if got := m[0].Early(); got != (want == HalfOpen) {
					t.Errorf("early: got %v", got)
				}
			})
		})
	}
	f("nothing happens", true, func(*testing.T, *Pool, *Member) {}, Open)
	f("probes fail", true, func(_ *testing.T, _ *Pool, last *Member) { last.ObserveProbe(Silent, Thresholds{}) }, HalfOpen)
	f("refused", true, func(_ *testing.T, _ *Pool, last *Member) { last.Refused() }, HalfOpen)
	f("announces a drain", true, func(_ *testing.T, _ *Pool, last *Member) { last.ObserveProbe(Drains, Thresholds{}) }, HalfOpen)
	f("drained by the operator", true, func(_ *testing.T, _ *Pool, last *Member) { last.SetOperator(Drain) }, HalfOpen)
	f("drained, without probes", false, func(_ *testing.T, _ *Pool, last *Member) { last.SetOperator(Drain) }, HalfOpen)
	f("fails, and stays in use only because of the floor", false, func(t *testing.T, _ *Pool, last *Member) { attempt(t, last, Failure) }, HalfOpen)
	f("succeeds", false, func(t *testing.T, _ *Pool, last *Member) { attempt(t, last, Success) }, Open)
	f("leaves the pool", true, func(_ *testing.T, p *Pool, _ *Member) { p.Update(specsOf(1)) }, HalfOpen)
	f("the other fails its probes too", true, func(_ *testing.T, p *Pool, last *Member) {
		p.Members()[0].ObserveProbe(Refused, Thresholds{})
		last.Refused()
	}, Open)
	f("the other is drained", true, func(_ *testing.T, p *Pool, last *Member) {
		p.Members()[0].SetOperator(Drain)
		last.Refused()
	}, Open)
	f("the other begins to pass its probes", true, func(_ *testing.T, p *Pool, last *Member) {
		p.Members()[0].ObserveProbe(Refused, Thresholds{})
		last.Refused()
		time.Sleep(time.Second)
		p.Members()[0].ObserveProbe(Passed, Thresholds{})
	}, HalfOpen)
}

// TestEarlyTrialOnce: a failed trial is not repeated before the end of the open time,
// unless the pool runs dry again or probes begin to pass.
func TestEarlyTrialOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, m := ejectedPool(t, lateBreakers(true), 3)
		defer p.Update(nil)
		last := &m[2]
		states := func(want0, want1 BreakerState) {
			t.Helper()
			time.Sleep(soon)
			if got0, got1 := m[0].Breaker(), m[1].Breaker(); got0 != want0 || got1 != want1 {
				t.Fatalf("got %v and %v, want %v and %v", got0, got1, want0, want1)
			}
		}
		last.Refused()
		states(HalfOpen, HalfOpen)
		attempt(t, &m[0], Unreachable)
		states(Open, HalfOpen)
		attempt(t, &m[1], Failure)
		states(Open, Open)

		// The pool runs dry again.
		last.ObserveProbe(Passed, Thresholds{})
		states(Open, Open)
		last.Refused()
		states(HalfOpen, HalfOpen)
		attempt(t, &m[0], Failure)
		attempt(t, &m[1], Failure)
		states(Open, Open)

		// The probes of one begin to pass.
		m[1].Refused()
		states(Open, Open)
		m[1].ObserveProbe(Passed, Thresholds{})
		states(Open, HalfOpen)
		attempt(t, &m[1], Failure)
		states(Open, Open)
	})
}

// TestEarlyTrialFails: a failed early trial does not make the open time grow. A member
// whose normal trial fails while the pool is dry gets no early one.
func TestEarlyTrialFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, m := ejectedPool(t, lateBreakers(true), 2)
		defer p.Update(nil)
		u := &m[0]
		state := func(want BreakerState) {
			t.Helper()
			time.Sleep(soon)
			if got := u.Breaker(); got != want {
				t.Fatalf("got %v, want %v", got, want)
			}
		}
		m[1].Refused()
		state(HalfOpen)
		for _, first := range []time.Duration{time.Minute, 2 * time.Minute} {
			attempt(t, u, Unreachable)
			state(Open)
			time.Sleep(first - 2*soon)
			state(Open)
			time.Sleep(time.Duration(openJitter*float64(first)) + soon)
			state(HalfOpen)
			if u.Early() {
				t.Error("woken by its own timer: got early")
			}
		}
	})
}

// TestEarlyTrialServesAll: one trial goes ahead, and the waiting requests follow once it
// succeeds.
func TestEarlyTrialServesAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var told []Change
		o := lateBreakers(true)
		o.Notify = func(c Change) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, c)
		}
		p, m := ejectedPool(t, o, 2)
		defer p.Update(nil)
		mu.Lock()
		told = nil
		mu.Unlock()
		began := time.Now()
		m[1].Refused()
		const answer = 20 * time.Millisecond
		var longest time.Duration
		var wg sync.WaitGroup
		for range 20 {
			w, err := p.Wait(0, WaitLimits{Requests: 100})
			if err != nil {
				t.Fatal(err)
			}
			wg.Go(func() {
				defer w.Leave()
				for {
					if m := p.Pick(&Choice{Replayable: true}); m != nil {
						if lease, ok := m.TryAcquire(); ok {
							time.Sleep(answer)
							lease.Report(Success, answer)
							lease.Release()
							break
						}
					}
					<-w.C
				}
				mu.Lock()
				defer mu.Unlock()
				longest = max(longest, time.Since(began))
			})
		}
		wg.Wait()
		if want := 2*answer + soon; longest > want {
			t.Errorf("the last was served after %v, want at most %v", longest, want)
		}
		if got := m[0].Breaker(); got != Closed {
			t.Errorf("got %v, want closed", got)
		}
		if len(told) != 2 || told[0].Early || !told[1].Early || told[1].Upstream != m[0].Upstream {
			t.Errorf("told: got %+v, want that the second is available early", told)
		}
	})
}

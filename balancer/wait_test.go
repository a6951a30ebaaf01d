package balancer

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func join(t *testing.T, p *Pool) *Waiter {
	t.Helper()
	w, err := p.Wait(0, WaitLimits{Requests: 10})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func signalled(w *Waiter) bool { return len(w.C) == 1 }

func TestWaitLimit(t *testing.T) {
	t.Parallel()
	p := newTestPool(t, Options{})
	a, err := p.Wait(0, WaitLimits{Requests: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Wait(0, WaitLimits{Requests: 1}); !errors.Is(err, ErrFull) {
		t.Errorf("second of one: got %v, want %v", err, ErrFull)
	}
	if _, err := p.Wait(0, WaitLimits{}); !errors.Is(err, ErrFull) {
		t.Errorf("limit 0: got %v, want %v", err, ErrFull)
	}
	a.Leave()
	a.Leave()
	if got := p.Waiting(); got != 0 {
		t.Errorf("waiting: got %d, want 0", got)
	}
	join(t, p).Leave()
}

func TestWaitWakes(t *testing.T) {
	t.Parallel()
	p := newTestPool(t, Options{Checked: true}, Spec{Addr: addr(0), MaxInFlight: 1}, Spec{Addr: addr(1)})
	m := p.Members()
	m[0].ObserveProbe(Passed, Thresholds{})
	lease := acquire(t, &m[0], 1)
	a, b, c := join(t, p), join(t, p), join(t, p)

	lease.Release()
	if !signalled(a) || signalled(b) {
		t.Fatal("a place: want the first in the queue signalled, and only that one")
	}
	a.Leave()
	if !signalled(b) || signalled(c) {
		t.Fatal("a signal not taken: want the next in the queue signalled")
	}
	m[1].ObserveProbe(Passed, Thresholds{})
	if !signalled(c) {
		t.Error("an upstream came up: want all signalled")
	}
	<-b.C
	p.Update(specsOf(3))
	if !signalled(b) {
		t.Error("new members: want all signalled")
	}
	b.Leave()
	c.Leave()
}

// TestWaitLosesNoWakeUp: many requests share one place, each waits for it, and
// all get it.
func TestWaitLosesNoWakeUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newTestPool(t, Options{}, Spec{Addr: addr(0), MaxInFlight: 1})
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				for range 20 {
					l := holdOut(t, p)
					l.Release()
				}
			})
		}
		wg.Wait() // a lost wake-up is a deadlock, which the bubble reports
		if got := p.Waiting(); got != 0 {
			t.Errorf("waiting: got %d, want 0", got)
		}
	})
}

// holdOut waits until it gets a lease.
func holdOut(t *testing.T, p *Pool) Lease {
	w, err := p.Wait(0, WaitLimits{Requests: 1000})
	if err != nil {
		t.Error(err)
		return Lease{}
	}
	defer w.Leave()
	for {
		if m := p.Pick(&Choice{}); m != nil {
			if l, ok := m.TryAcquire(); ok {
				return l
			}
		}
		<-w.C
	}
}

// TestReleaseIsPaced checks that a returning upstream does not get all waiting requests
// at once, and that every request gets its turn.
func TestReleaseIsPaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newTestPool(t, Options{Checked: true}, specsOf(1)...)
		waiters := make([]*Waiter, 200)
		for i := range waiters {
			w, err := p.Wait(0, WaitLimits{Requests: len(waiters)})
			if err != nil {
				t.Fatal(err)
			}
			waiters[i] = w
		}
		woken := func() (n int) {
			for _, w := range waiters {
				if signalled(w) {
					n++
				}
			}
			return n
		}
		p.Members()[0].ObserveProbe(Passed, Thresholds{})
		for i, want := range []int{32, 96, 200, 200} {
			if got := woken(); got != want {
				t.Errorf("after %d steps: %d of %d woken, want %d", i, got, len(waiters), want)
			}
			time.Sleep(releasePace)
			synctest.Wait()
		}
		for _, w := range waiters {
			<-w.C // taken, and nothing was found
		}
		p.Members()[0].SetOperator(Drain)
		p.Members()[0].SetOperator(Ready)
		if got := woken(); got != releaseFirst {
			t.Errorf("the next release: %d woken, want %d", got, releaseFirst)
		}
		for _, w := range waiters {
			w.Leave()
		}
	})
}

func TestWaitBodyLimit(t *testing.T) {
	t.Parallel()
	p := newTestPool(t, Options{})
	limits := WaitLimits{Requests: 10, Body: 100}
	a, err := p.Wait(60, limits)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Wait(41, limits); !errors.Is(err, ErrFull) {
		t.Errorf("101 of 100 bytes: got %v, want %v", err, ErrFull)
	}
	for _, n := range []int64{40, 0} {
		if _, err := p.Wait(n, limits); err != nil {
			t.Errorf("%d more bytes: got %v, want a place", n, err)
		}
	}
	a.Leave()
	a.Leave()
	if _, err := p.Wait(61, limits); !errors.Is(err, ErrFull) {
		t.Errorf("101 of 100 bytes, after a leave: got %v, want %v", err, ErrFull)
	}
	if _, err := p.Wait(60, limits); err != nil {
		t.Errorf("100 of 100 bytes: got %v, want a place", err)
	}
}

// TestStandingQueueServesNewestFirst: a short, moving queue is first in, first out; a
// congested one is last in, first out.
func TestStandingQueueServesNewestFirst(t *testing.T) {
	f := func(name string, n int, wait time.Duration, last bool) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			p := newTestPool(t, Options{Checked: true}, Spec{Addr: addr(0), MaxInFlight: 1})
			p.Members()[0].ObserveProbe(Passed, Thresholds{})
			lease := acquire(t, &p.Members()[0], 1)
			waiters := make([]*Waiter, n)
			for i := range waiters {
				waiters[i], _ = p.Wait(0, WaitLimits{Requests: 100, Long: time.Second})
				defer waiters[i].Leave()
			}
			time.Sleep(wait)
			lease.Release()
			if got := signalled(waiters[n-1]); got != last {
				t.Errorf("%s, one place: the last come was served: got %v, want %v", name, got, last)
			}
			if got := signalled(waiters[0]); got == last {
				t.Errorf("%s, one place: the first come was served: got %v, want %v", name, got, !last)
			}
			p.Members()[0].SetOperator(Drain)
			p.Members()[0].SetOperator(Ready)
			if got := signalled(waiters[n-2]); got != last {
				t.Errorf("%s, an upstream came back: the last was among the first served: got %v, want %v", name, got, last)
			}
			time.Sleep(time.Second) // to the end of the release
		})
	}
	f("short and young", 50, 999*time.Millisecond, false)
	f("over half", 51, 0, true)
	f("the first has waited long", 50, time.Second, true)
}

// TestOverfull: a pool is overfull when its members are full and its queue is congested.
func TestOverfull(t *testing.T) {
	t.Parallel()
	f := func(name string, want bool, change func(p *Pool), specs ...Spec) {
		t.Helper()
		p := newTestPool(t, Options{}, specs...)
		for range 3 {
			w, _ := p.Wait(0, WaitLimits{Requests: 4})
			defer w.Leave()
		}
		acquire(t, &p.Members()[0], 2)
		if change != nil {
			change(p)
		}
		if got := p.Overfull(); got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
	f("full", true, nil, Spec{Addr: "a:1", MaxInFlight: 2})
	f("one place left", true, nil, Spec{Addr: "a:1", MaxInFlight: 3})
	f("two places left", false, nil, Spec{Addr: "a:1", MaxInFlight: 4})
	f("no limit", false, nil, Spec{Addr: "a:1"})
	f("another has room", false, nil, Spec{Addr: "a:1", MaxInFlight: 2}, Spec{Addr: "b:1", MaxInFlight: 2})
	f("another is out", true, func(p *Pool) { p.Members()[1].SetOperator(Drain) },
		Spec{Addr: "a:1", MaxInFlight: 2}, Spec{Addr: "b:1", MaxInFlight: 2})
	f("no upstream available", false, func(p *Pool) { p.Members()[0].SetOperator(Drain) }, Spec{Addr: "a:1", MaxInFlight: 2})

	p := newTestPool(t, Options{}, Spec{Addr: "a:1", MaxInFlight: 2})
	acquire(t, &p.Members()[0], 2)
	if p.Overfull() {
		t.Error("full, but nobody waits: got true")
	}
}

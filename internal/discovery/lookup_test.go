package discovery

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// script is a Lookup with scripted answers; it records when it was called.
type script struct {
	*Lookup

	mu      sync.Mutex // mu protects the fields below.
	targets []Target
	ttl     time.Duration
	err     error
	times   []time.Time
}

func newScript(t *testing.T, options Resolver) *script {
	t.Helper()
	options, err := options.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	s := &script{Lookup: newLookup("app", options)}
	s.ask = func(context.Context) ([]Target, time.Duration, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.times = append(s.times, time.Now())
		return s.targets, s.ttl, s.err
	}
	return s
}

// answer sets what s says from now on.
func (s *script) answer(targets []Target, ttl time.Duration, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.targets, s.ttl, s.err = targets, ttl, err
}

// asked returns the times of the calls since the last asked.
func (s *script) asked() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	times := s.times
	s.times = nil
	return times
}

// sleep advances the fake time by d, and runs all events that are due.
func sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestLookupFollowsTheTTL(t *testing.T) {
	t.Parallel()
	f := func(name string, ttl, want time.Duration) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScript(t, Resolver{MinTTL: 5 * time.Second, MaxTTL: time.Minute})
				s.answer(at80("10.0.0.1"), ttl, nil)
				r := run(t, s)
				sleep(10 * time.Minute)
				r.want(t, "10.0.0.1:80")
				r.wantQuiet(t) // the same answer is no change
				asked := s.asked()
				for i := range len(asked) - 1 {
					got := asked[i+1].Sub(asked[i])
					if got < want-want/10 || got > want+want/10 {
						t.Errorf("wait %d is %v, want %v +- 10 %%", i, got, want)
					}
				}
				if len(asked) < 3 {
					t.Errorf("asked %d times in 10 minutes", len(asked))
				}
			})
		})
	}
	f("between the limits", 30*time.Second, 30*time.Second)
	f("too small", 0, 5*time.Second)
	f("too large", time.Hour, time.Minute)
}

func TestLookupDeliversChanges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t, Resolver{})
		s.answer(at80("10.0.0.1"), 30*time.Second, nil)
		r := run(t, s)
		sleep(time.Second)
		r.want(t, "10.0.0.1:80")
		s.answer(at80("10.0.0.1", "10.0.0.2"), 30*time.Second, nil)
		sleep(40 * time.Second)
		r.want(t, "10.0.0.1:80", "10.0.0.2:80")
		r.wantQuiet(t)
	})
}

func TestLookupFailureKeepsTheLastGoodSet(t *testing.T) {
	t.Parallel()
	f := func(name string, err error) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScript(t, Resolver{MaxTTL: 8 * time.Second})
				s.answer(at80("10.0.0.1"), 0, nil)
				r := run(t, s)
				sleep(0)
				r.want(t, "10.0.0.1:80")

				s.answer(nil, 0, err)
				s.asked()
				sleep(time.Minute)
				asked := s.asked()
				for i, want := range []time.Duration{1, 2, 4, 8, 8} {
					want *= time.Second
					got := asked[i+1].Sub(asked[i])
					if got < want-want/10 || got > want+want/10 {
						t.Errorf("retry %d came after %v, want %v +- 10 %%", i, got, want)
					}
				}
				reports := len(r.errs)
				if reports != len(asked) {
					t.Errorf("got %d reports for %d failures", reports, len(asked))
				}
				for range reports {
					if got := <-r.errs; got == nil || err != nil && !errors.Is(got, err) {
						t.Fatalf("got report %v, want %v", got, err)
					}
				}
				s.answer(at80("10.0.0.1"), 0, nil)
				sleep(10 * time.Second)
				if got := <-r.errs; got != nil {
					t.Errorf("got report %v, want nil: it works again", got)
				}
				r.wantQuiet(t)
			})
		})
	}
	f("error", errors.New("boom"))
	f("empty answer", nil)
}

func TestLookupDeliversUsableAddresses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t, Resolver{})
		half := errors.New("half")
		s.answer(at80("10.0.0.1"), 0, half)
		r := run(t, s)
		sleep(0)
		r.want(t, "10.0.0.1:80")
		if err := <-r.errs; !errors.Is(err, half) {
			t.Errorf("got report %v, want %v", err, half)
		}
		sleep(time.Hour) // it stays so, which is no news
		s.answer(at80("10.0.0.1"), 0, nil)
		sleep(time.Hour)
		if err := <-r.errs; err != nil {
			t.Errorf("got report %v, want nil: nothing is missing any more", err)
		}
		r.wantQuiet(t)
	})
}

func TestLookupIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t, Resolver{Timeout: 3 * time.Second})
		s.ask = func(ctx context.Context) ([]Target, time.Duration, error) {
			<-ctx.Done()
			return nil, 0, ctx.Err()
		}
		start := time.Now()
		r := run(t, s)
		if err := <-r.errs; !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 3*time.Second {
			t.Errorf("got %v after %v, want a deadline exceeded after 3s", err, time.Since(start))
		}
	})
}

func TestRefreshIsCoalescedAndLimited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t, Resolver{})
		s.answer(at80("10.0.0.1"), 5*time.Minute, nil)
		run(t, s)
		sleep(0)
		start := time.Now()
		s.asked()
		refreshAtOnce := func() {
			for range 1000 {
				s.Refresh()
			}
			synctest.Wait()
		}
		refreshAtOnce()
		s.Refresh()
		refreshAtOnce() // too early: together they cause one lookup after the second
		sleep(500 * time.Millisecond)
		refreshAtOnce()
		sleep(time.Minute)
		asked := s.asked()
		want := []time.Duration{0, time.Second, 2 * time.Second}
		if len(asked) != len(want) {
			t.Fatalf("asked %d times, want %d", len(asked), len(want))
		}
		for i := range want {
			if got := asked[i].Sub(start); got != want[i] {
				t.Errorf("look %d came after %v, want %v", i, got, want[i])
			}
		}
	})
}

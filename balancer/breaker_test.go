package balancer

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// told records the states that a breaker has reported.
type told struct {
	mu     sync.Mutex // protects states
	states []BreakerState
}

func (l *told) add(s BreakerState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.states = append(l.states, s)
}

func (l *told) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.states = nil
}

func (l *told) check(t *testing.T, want ...BreakerState) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Equal(l.states, want) {
		t.Errorf("told: got %v, want %v", l.states, want)
	}
}

// newTestBreaker returns a breaker that may always open.
func newTestBreaker(t *testing.T, o BreakerOptions) (*breaker, *told) {
	o.Enabled = true
	b, l := &breaker{}, &told{}
	b.start(o, breakerCalls{mayOpen: func() bool { return true }, spared: func() {}, changed: l.add, freed: func() {}})
	t.Cleanup(b.stop)
	return b, l
}

// feed sends requests one after the other, and skips those that are not admitted.
func feed(b *breaker, outcomes ...Outcome) {
	for _, o := range outcomes {
		if pass, ok := b.admit(); ok {
			b.report(pass, o)
		}
	}
}

func TestBreakerOpens(t *testing.T) {
	t.Parallel()
	consecutive := BreakerOptions{Consecutive: 3}
	ratio := BreakerOptions{FailureRatio: 0.5, MinRequests: 6}
	const s, f, u, i = Success, Failure, Unreachable, Ignored
	tests := []struct {
		name     string
		opts     BreakerOptions
		outcomes []Outcome
		want     BreakerState
	}{
		{"no failure", consecutive, []Outcome{s, s, s, s}, Closed},
		{"too few in a row", consecutive, []Outcome{f, f, s, f, f}, Closed},
		{"enough in a row", consecutive, []Outcome{s, f, u, f}, Open},
		{"ignored is no success", consecutive, []Outcome{f, i, f, i, f}, Open},
		{"ignored is no failure", consecutive, []Outcome{i, i, i, i, i}, Closed},
		{"below the least volume", ratio, []Outcome{f, f, f, f, f}, Closed},
		{"ignored is no volume", ratio, []Outcome{f, f, f, f, f, i, i}, Closed},
		{"ratio reached", ratio, []Outcome{s, s, s, f, f, f}, Open},
		{"ratio not reached", ratio, []Outcome{s, s, s, s, f, f, f}, Closed},
		{"no rule", BreakerOptions{}, slices.Repeat([]Outcome{f}, 100), Closed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, _ := newTestBreaker(t, tt.opts)
			feed(b, tt.outcomes...)
			if got := b.current(); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			if got := b.admits(); got != (tt.want == Closed) {
				t.Errorf("admits: got %v", got)
			}
		})
	}
}

func TestBreakerSwitchedOff(t *testing.T) {
	t.Parallel()
	var b breaker
	feed(&b, slices.Repeat([]Outcome{Failure}, 100)...)
	if !b.admits() {
		t.Error("a breaker that is off must admit")
	}
}

func TestBreakerForgetsAfterTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := newTestBreaker(t, BreakerOptions{FailureRatio: 0.5, MinRequests: 4, Window: 10 * time.Second})
		feed(b, Failure, Failure, Failure)
		time.Sleep(11 * time.Second)
		feed(b, Failure, Success, Success, Success)
		if got := b.current(); got != Closed {
			t.Errorf("got %v, want closed: three of the failures are old", got)
		}
	})
}

// TestBreakerCountsSlowFailures: a timeout longer than the window counts as a failure at
// its end. If it counted at its start, the window would have dropped it before the
// result.
func TestBreakerCountsSlowFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := newTestBreaker(t, BreakerOptions{Consecutive: 3, Window: 10 * time.Second})
		var passes []uint64
		for range 3 {
			pass, _ := b.admit()
			passes = append(passes, pass)
		}
		time.Sleep(30 * time.Second)
		for _, pass := range passes {
			b.report(pass, Unreachable)
		}
		if got := b.current(); got != Open {
			t.Errorf("got %v, want open", got)
		}
	})
}

// TestBreakerHeals: it wakes without traffic, and two trials close it.
func TestBreakerHeals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, told := newTestBreaker(t, BreakerOptions{Consecutive: 1, OpenFor: 5 * time.Second})
		feed(b, Failure)
		time.Sleep(4 * time.Second)
		if got := b.current(); got != Open {
			t.Fatalf("after 4 s: got %v, want open", got)
		}
		time.Sleep(3 * time.Second)
		if got := b.current(); got != HalfOpen {
			t.Fatalf("after 7 s: got %v, want half-open", got)
		}
		first, ok1 := b.admit()
		second, ok2 := b.admit()
		_, ok3 := b.admit()
		if !ok1 || !ok2 || ok3 || b.admits() {
			t.Fatalf("half-open admits: got %v %v %v, want two trials", ok1, ok2, ok3)
		}
		b.report(first, Success)
		if b.admits() {
			t.Error("one trial has succeeded, one is out: want no third")
		}
		b.report(second, Ignored)
		if !b.admits() {
			t.Error("a trial that says nothing must give its place to another")
		}
		feed(b, Success)
		told.check(t, Open, HalfOpen, Closed)
	})
}

// TestBreakerLongTrials: while trials take long, others may follow every trialBound. The
// result of a long trial counts as long as the breaker is half-open.
func TestBreakerLongTrials(t *testing.T) {
	f := func(name string, results []Outcome, want BreakerState) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			b, told := newTestBreaker(t, BreakerOptions{Consecutive: 1, OpenFor: time.Second})
			var freed atomic.Int32
			b.calls.freed = func() { freed.Add(1) }
			feed(b, Failure)
			time.Sleep(2 * time.Second)
			told.forget()
			var passes []uint64
			for n := range 3 {
				for range trialRequests {
					pass, ok := b.admit()
					if !ok {
						t.Fatalf("%s: after %d times %v: want free places", name, n, trialBound)
					}
					passes = append(passes, pass)
				}
				if b.admits() {
					t.Fatalf("%s: both places are taken: want no more", name)
				}
				time.Sleep(trialBound)
				synctest.Wait()
			}
			if got := freed.Load(); got != 3 {
				t.Errorf("%s: freed: got %d reports, want 3", name, got)
			}
			for i, o := range results {
				b.report(passes[i], o)
			}
			if got := b.current(); got != want {
				t.Errorf("%s: got %v, want %v", name, got, want)
			}
			synctest.Wait()
			if want != HalfOpen {
				told.check(t, want)
			}
			time.Sleep(trialBound)
			synctest.Wait()
			if want == Closed && freed.Load() != 3 {
				t.Errorf("%s: freed while closed", name)
			}
		})
	}
	f("no result", nil, HalfOpen)
	f("clients left", []Outcome{Ignored, Ignored}, HalfOpen)
	f("one success", []Outcome{Success, Ignored}, HalfOpen)
	f("a failure", []Outcome{Success, Unreachable}, Open)
	f("a failure after the end", []Outcome{Success, Success, Unreachable}, Closed)
}

// TestBreakerLateResults: the result of a request sent before the breaker opened does not
// count after it has closed again.
func TestBreakerLateResults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := newTestBreaker(t, BreakerOptions{Consecutive: 1, OpenFor: time.Second})
		late, _ := b.admit()
		feed(b, Failure)
		time.Sleep(2 * time.Second)
		b.report(late, Failure)
		if got := b.current(); got != HalfOpen {
			t.Errorf("late failure while half-open: got %v, want half-open", got)
		}
		feed(b, Success, Success)
		b.report(late, Failure)
		if got := b.current(); got != Closed {
			t.Errorf("late failure once closed: got %v, want closed", got)
		}
	})
}

// TestBreakerOpenTimeGrows: the open time doubles with each failed round, up to its
// bound, and starts again after a long time closed.
func TestBreakerOpenTimeGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := newTestBreaker(t, BreakerOptions{Consecutive: 1, OpenFor: time.Second, MaxOpenFor: 4 * time.Second})
		round := func(want time.Duration) {
			t.Helper()
			feed(b, Failure)
			start := time.Now()
			for b.current() == Open {
				time.Sleep(time.Millisecond)
			}
			got := time.Since(start)
			if limit := time.Duration((1+openJitter)*float64(want)) + 2*time.Millisecond; got < want || got > limit {
				t.Errorf("open for %v, want %v to %v", got, want, limit)
			}
		}
		for _, want := range []time.Duration{1, 2, 4, 4} {
			round(want * time.Second)
		}
		feed(b, Success, Success)
		time.Sleep(5 * time.Second)
		for _, want := range []time.Duration{1, 2, 4} {
			round(want * time.Second)
		}
	})
}

func TestBreakerStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, told := newTestBreaker(t, BreakerOptions{Consecutive: 1, OpenFor: time.Second})
		b.stop()
		feed(b, Failure)
		time.Sleep(time.Minute)
		told.check(t, Open) // a stopped breaker has no timer
	})
}

// TestTrialsAreCounted: however trials end, and whenever a round ends, no more trials are
// in flight than a round has places.
func TestTrialsAreCounted(t *testing.T) {
	t.Parallel()
	var b breaker
	b.start(BreakerOptions{Enabled: true, Consecutive: 1}, breakerCalls{mayOpen: func() bool { return true }, spared: func() {}, changed: func(BreakerState) {}, freed: func() {}})
	defer b.stop()
	b.turn(onTrip)
	b.turn(onWake)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 20000 {
				if pass, ok := b.admit(); ok {
					b.report(pass, Ignored)
				}
			}
		})
	}
	wg.Go(func() {
		for range 20000 {
			b.free()
		}
	})
	wg.Wait()
	admitted := 0
	for range 10 {
		if _, ok := b.admit(); ok {
			admitted++
		}
	}
	if admitted > trialRequests {
		t.Errorf("%d trials at once, want %d at most", admitted, trialRequests)
	}
}

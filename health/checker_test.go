package health

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goodgate/goodgate/balancer"
)

var (
	errWrong   = &Error{Result: balancer.Wrong, Err: errors.New("wrong")}
	errRefused = &Error{Result: balancer.Refused, Err: errors.New("refused")}
)

// proberFunc is a [Prober] from a function.
type proberFunc func(ctx context.Context, u *balancer.Upstream) error

func (f proberFunc) Probe(ctx context.Context, u *balancer.Upstream) error { return f(ctx, u) }

// rig is a running checker in a bubble. Its probes take no time and end with the error
// that is set.
type rig struct {
	*Checker
	us     []*balancer.Upstream
	err    atomic.Pointer[Error] // result of the probes; nil = they pass
	mu     sync.Mutex            // protects the fields below
	start  time.Time
	last   time.Time
	events []string
}

// run calls f with a running checker of n upstreams. o needs no prober.
func run(t *testing.T, o Options, n int, f func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		addrs := make([]string, n)
		for i := range addrs {
			addrs[i] = fmt.Sprintf("10.0.%d.%d:80", i/256, i%256)
		}
		r := &rig{us: upstreams(t, addrs...), start: time.Now()}
		o.Report = r.note
		if o.Prober == nil {
			o.Prober = proberFunc(func(context.Context, *balancer.Upstream) error {
				if e := r.err.Load(); e != nil {
					return e
				}
				return nil
			})
		}
		r.Checker = NewChecker(o)
		r.Watch(r.us)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); r.Run(ctx) }()
		synctest.Wait()
		f(t, r)
		stop()
		<-done
	})
}

func (r *rig) note(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = time.Now()
	text := fmt.Sprint(time.Since(r.start).Round(time.Millisecond))
	if e.Flipped {
		text += map[balancer.Health]string{balancer.Up: " up", balancer.Down: " down"}[e.Verdict]
	}
	r.events = append(r.events, text)
}

// take returns the times of the probes since the last call.
func (r *rig) take() []string {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	events := r.events
	r.events = nil
	return events
}

// align waits for a probe and counts time from its result. The second probe of an
// upstream has a random phase; later ones have none.
func (r *rig) align() {
	for len(r.take()) == 0 {
		time.Sleep(time.Millisecond)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.start = r.last
}

// until sleeps to the time d.
func (r *rig) until(d time.Duration) { time.Sleep(time.Until(r.start.Add(d))) }

// after sleeps and takes.
func (r *rig) after(d time.Duration) []string {
	time.Sleep(d)
	return r.take()
}

func wantTimes(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got probes at %v, want %v", got, want)
	}
}

var exact = Options{Interval: time.Second, FastInterval: 250 * time.Millisecond, Jitter: -1, Thresholds: balancer.Thresholds{Rise: 3, Fall: 2}}

func TestFirstProbesAtOnceAndInParallel(t *testing.T) {
	o := exact
	o.Timeout = long
	o.Prober = proberFunc(func(ctx context.Context, _ *balancer.Upstream) error {
		<-ctx.Done()
		return ctx.Err()
	})
	run(t, o, 100, func(t *testing.T, r *rig) {
		got := r.after(long)
		if len(got) != 100 || got[0] != "10s down" || got[99] != "10s down" {
			t.Errorf("got %d probes, the last at %v, want 100 at 10s", len(got), got[len(got)-1])
		}
	})
}

func TestMaxParallel(t *testing.T) {
	o := exact
	o.MaxParallel = 10
	o.Interval = time.Hour
	var now, most atomic.Int32
	o.Prober = proberFunc(func(context.Context, *balancer.Upstream) error {
		most.Store(max(most.Load(), now.Add(1)))
		time.Sleep(time.Millisecond)
		now.Add(-1)
		return nil
	})
	run(t, o, 100, func(t *testing.T, r *rig) {
		got := r.after(20 * time.Millisecond)
		if len(got) < 100 || most.Load() != 10 {
			t.Errorf("got %d probes, %d at once, want at least 100, 10 at once", len(got), most.Load())
		}
	})
}

func TestFallAndRise(t *testing.T) {
	run(t, exact, 1, func(t *testing.T, r *rig) {
		wantTimes(t, r.take(), "0s up")
		r.align()
		wantTimes(t, r.after(2*time.Second), "1s", "2s")

		r.err.Store(errWrong) // fall: the next in its interval, one more at the fast interval
		wantTimes(t, r.after(1300*time.Millisecond), "3s", "3.25s down")
		r.err.Store(nil) // rise: eager
		wantTimes(t, r.after(250*time.Millisecond), "3.35s", "3.45s", "3.55s up")
		if got := r.us[0].Health(); got != balancer.Up {
			t.Errorf("got verdict %d, want up", got)
		}
	})
}

func TestPaceWhileDown(t *testing.T) {
	t.Parallel()
	s := &schedule{interval: 2 * time.Second, fast: 250 * time.Millisecond}
	start := time.Now()
	f := func(at time.Duration, verdict balancer.Health, settled bool, want time.Duration) {
		t.Helper()
		if got := s.pace(start.Add(at), verdict, settled); got != want {
			t.Errorf("at %v: got %v, want %v", at, got, want)
		}
	}
	f(0, balancer.Checking, false, 250*time.Millisecond)
	f(0, balancer.Up, true, 2*time.Second)
	f(0, balancer.Up, false, 250*time.Millisecond)
	f(5*time.Second, balancer.Down, true, 100*time.Millisecond)
	f(14*time.Second, balancer.Down, false, 100*time.Millisecond)
	f(15*time.Second, balancer.Down, true, 250*time.Millisecond)
	f(64*time.Second, balancer.Down, true, 250*time.Millisecond)
	f(65*time.Second, balancer.Down, true, 2*time.Second)
	f(66*time.Second, balancer.Down, false, 250*time.Millisecond)
	f(67*time.Second, balancer.Up, true, 2*time.Second)
	f(68*time.Second, balancer.Down, true, 100*time.Millisecond)
	f(69*time.Second, balancer.Draining, true, 250*time.Millisecond)
}

func TestManyDownShareTheLoad(t *testing.T) {
	t.Parallel()
	s := &schedule{interval: 2 * time.Second, fast: 250 * time.Millisecond}
	for watched, want := range map[int]time.Duration{
		10: 100 * time.Millisecond, 1000: 100 * time.Millisecond, 10_000: time.Second, 50_000: 2 * time.Second,
	} {
		if got := s.next(time.Now(), balancer.Down, true, watched); got != want {
			t.Errorf("%d watched: got %v, want %v", watched, got, want)
		}
	}
}

func TestRefusedByTrafficIsProbedAtOnce(t *testing.T) {
	run(t, exact, 1, func(t *testing.T, r *rig) {
		r.take()
		r.align()
		r.until(500 * time.Millisecond)
		r.err.Store(errRefused)
		r.us[0].Refused()
		wantTimes(t, r.after(200*time.Millisecond), "500ms", "600ms", "700ms")
		r.err.Store(nil) // and one pass brings it back
		wantTimes(t, r.after(100*time.Millisecond), "800ms up")
	})
}

func TestNudgesAreBounded(t *testing.T) {
	run(t, exact, 1, func(t *testing.T, r *rig) {
		r.err.Store(errRefused)
		r.after(30 * time.Second)
		for range 200 { // traffic finds it refused every 5 ms
			r.us[0].Refused()
			time.Sleep(5 * time.Millisecond)
		}
		if got := len(r.take()); got < 15 || got > 21 {
			t.Errorf("got %d probes in 1 s of nudges, want one every 50 ms", got)
		}
	})
}

// A probe in progress when live traffic is refused passes, but it is out of date.
func TestNudgeDuringTheProbeCounts(t *testing.T) {
	o := exact
	var slow atomic.Bool
	o.Prober = proberFunc(func(context.Context, *balancer.Upstream) error {
		if slow.Load() {
			time.Sleep(80 * time.Millisecond)
		}
		return nil
	})
	run(t, o, 1, func(t *testing.T, r *rig) {
		r.take()
		slow.Store(true)
		r.align()
		r.until(940 * time.Millisecond) // the next began at 920 ms
		r.us[0].Refused()
		wantTimes(t, r.after(200*time.Millisecond), "1s", "1.08s up")
	})
}

func TestDisabledIsNotProbed(t *testing.T) {
	run(t, exact, 1, func(t *testing.T, r *rig) {
		r.take()
		r.us[0].SetOperator(balancer.Off)
		wantTimes(t, r.after(time.Minute))
		r.us[0].SetOperator(balancer.Drain)
		if got := r.after(exact.FastInterval); len(got) != 1 {
			t.Errorf("got %v after the upstream was switched on, want one probe", got)
		}
	})
}

func TestWatchStartsAndStops(t *testing.T) {
	run(t, exact, 3, func(t *testing.T, r *rig) {
		if got := len(r.take()); got != 3 {
			t.Errorf("got %d first probes, want 3", got)
		}
		r.Watch(r.us[:1])
		if got := len(r.after(10 * time.Second)); got < 9 || got > 11 {
			t.Errorf("got %d probes of one upstream in 10 s, want 10", got)
		}
		r.Watch(nil)
		wantTimes(t, r.after(time.Minute))
		r.Watch(r.us)
		if got := len(r.take()); got != 3 {
			t.Errorf("got %d first probes after all came back, want 3", got)
		}
	})
}

func TestRemovedIsNotProbed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool, err := balancer.NewPool(balancer.Options{Name: "t", Checked: true})
		if err != nil {
			t.Fatal(err)
		}
		pool.Update([]balancer.Spec{{Addr: "a:1"}})
		var n atomic.Int32
		c := NewChecker(Options{Prober: proberFunc(func(context.Context, *balancer.Upstream) error { n.Add(1); return nil })})
		c.Watch([]*balancer.Upstream{pool.Members()[0].Upstream})
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { c.Run(ctx) })
		synctest.Wait()
		pool.Update(nil)
		time.Sleep(time.Minute)
		if got := n.Load(); got != 1 {
			t.Errorf("got %d probes of a removed upstream, want the first only", got)
		}
		stop()
		wg.Wait()
	})
}

func TestDroppedProbeHasNoEffect(t *testing.T) {
	o := exact
	o.Prober = proberFunc(func(ctx context.Context, _ *balancer.Upstream) error {
		<-ctx.Done()
		time.Sleep(50 * time.Millisecond) // slow to give up
		return ctx.Err()
	})
	run(t, o, 1, func(t *testing.T, r *rig) {
		r.Watch(nil)
		wantTimes(t, r.after(time.Minute))
		if got := r.us[0].Health(); got != balancer.Checking {
			t.Errorf("got verdict %d, want none", got)
		}
	})
}

func TestRunReturnsAfterItsProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ended atomic.Bool
		c := NewChecker(Options{Prober: proberFunc(func(ctx context.Context, _ *balancer.Upstream) error {
			<-ctx.Done()
			time.Sleep(time.Second)
			ended.Store(true)
			return ctx.Err()
		})})
		us := upstreams(t, "a:1")
		c.Watch(us)
		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, stop)
		c.Run(ctx)
		if !ended.Load() {
			t.Error("Run returned while a probe was running")
		}
		c.Watch(nil)
		c.Watch(us) // does nothing any more
	})
}

func TestTimeoutNamesItsSetting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events := make(chan Event, 1)
		c := NewChecker(Options{
			Timeout: 300 * time.Millisecond,
			Prober: proberFunc(func(ctx context.Context, _ *balancer.Upstream) error {
				<-ctx.Done()
				return exchangeError(ctx, "reading the response", ctx.Err())
			}),
			Report: func(e Event) { events <- e },
		})
		c.Watch(upstreams(t, "a:1"))
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { c.Run(ctx) })
		e := <-events
		stop()
		wg.Wait()
		want := "reading the response: no answer within 300ms (timeout)"
		if e.Err.Error() != want || !errors.Is(e.Err, context.DeadlineExceeded) || e.Result != balancer.Silent || e.Took != 300*time.Millisecond {
			t.Errorf("got %q, result %d, after %v, want %q, Silent, after 300ms", e.Err, e.Result, e.Took, want)
		}
	})
}

func TestSkippedProbeHasNoEffect(t *testing.T) {
	o := exact
	var short atomic.Bool
	o.Prober = proberFunc(func(context.Context, *balancer.Upstream) error {
		if short.Load() {
			return ErrNotProbed
		}
		return nil
	})
	run(t, o, 1, func(t *testing.T, r *rig) {
		r.take()
		short.Store(true)
		if got := len(r.after(10 * time.Second)); got < 30 {
			t.Errorf("got %d tries in 10 s, want the fast interval", got)
		}
		if got := r.us[0].Health(); got != balancer.Up {
			t.Errorf("got verdict %d, want up", got)
		}
	})
}

// A probe that takes longer than its interval must not be followed at once.
func TestSlowProbesLeaveAPause(t *testing.T) {
	o := exact
	o.Timeout = 5 * time.Second
	o.Thresholds.Fall = 1000
	o.Prober = proberFunc(func(ctx context.Context, _ *balancer.Upstream) error {
		<-ctx.Done()
		return ctx.Err()
	})
	run(t, o, 1, func(t *testing.T, r *rig) {
		wantTimes(t, r.after(11*time.Second), "5s down", "10.05s")
	})
}

func TestLargeSetSpreads(t *testing.T) {
	const (
		n      = 10_000
		window = 10 * time.Millisecond
		rounds = 2
	)
	o := Options{Interval: time.Second, Thresholds: balancer.Thresholds{Rise: 2, Fall: 2}}
	var mu sync.Mutex
	counts := map[int64]int{}
	start := time.Time{}
	o.Prober = proberFunc(func(context.Context, *balancer.Upstream) error {
		mu.Lock()
		counts[int64(time.Since(start)/window)]++
		mu.Unlock()
		time.Sleep(time.Millisecond)
		return nil
	})
	synctest.Test(t, func(t *testing.T) {
		start = time.Now()
		addrs := make([]string, n)
		for i := range addrs {
			addrs[i] = fmt.Sprintf("10.0.%d.%d:80", i/256, i%256)
		}
		c := NewChecker(o)
		c.Watch(upstreams(t, addrs...))
		ctx, stop := context.WithTimeout(t.Context(), (rounds+1)*o.Interval)
		defer stop()
		c.Run(ctx)
	})
	mean := n * int(window) / int(o.Interval)
	for w, got := range counts {
		if at := time.Duration(w) * window; at >= o.Interval && got > 2*mean {
			t.Errorf("got %d probes in the 10 ms from %v, want at most %d", got, at, 2*mean)
		}
	}
}

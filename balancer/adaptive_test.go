package balancer

import (
	"container/heap"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// ending is when a simulated request ends, and how long it took.
type ending struct{ at, took time.Duration }

type endings []ending

func (e endings) Len() int           { return len(e) }
func (e endings) Less(i, j int) bool { return e[i].at < e[j].at }
func (e endings) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *endings) Push(x any)        { *e = append(*e, x.(ending)) }
func (e *endings) Pop() any          { o := *e; x := o[len(o)-1]; *e = o[:len(o)-1]; return x }

// simulation is an upstream with workers and one queue, in its own time, under a load
// that continues as far as the limit permits.
type simulation struct {
	a        adaptive
	rnd      *rand.Rand
	now      time.Duration
	next     time.Duration   // when a request comes next
	ends     endings         // of the requests in flight
	free     []time.Duration // when each worker is free again
	offered  int             // requests that wait for the limit
	workers  int
	mean     time.Duration // that a request takes
	takes    func() time.Duration
	perSec   float64 // requests a second that come
	answered int
}

// run runs for a duration and returns the answers.
func (s *simulation) run(d time.Duration) int {
	s.free = append(s.free, make([]time.Duration, s.workers)...)[:s.workers]
	s.answered = 0
	until := s.now + d
	s.next = max(s.next, s.now)
	for {
		switch {
		case len(s.ends) > 0 && s.ends[0].at <= min(s.next, until):
			s.now = s.ends[0].at
			s.a.ended(Success, time.Unix(1000, 0).Add(s.now), s.ends[0].took, int64(len(s.ends)))
			heap.Pop(&s.ends)
			s.answered++
		case s.next >= until:
			s.now = until
			return s.answered
		default:
			s.now = s.next
			s.offered = min(s.offered+1, 100)
			if s.perSec == 0 {
				s.next, s.offered = until, 0
				continue
			}
			s.next = s.now + time.Duration(s.rnd.ExpFloat64()/s.perSec*float64(time.Second))
		}
		s.send()
	}
}

func (s *simulation) send() {
	for s.offered > 0 && int64(len(s.ends)) < s.a.limit() {
		s.offered--
		w := 0
		for i := range s.free {
			if s.free[i] < s.free[w] {
				w = i
			}
		}
		s.free[w] = max(s.free[w], s.now) + s.takes()
		heap.Push(&s.ends, ending{s.free[w], s.free[w] - s.now})
	}
}

// spreads are distributions of request durations, relative to their mean.
var spreads = map[string]func(r *rand.Rand, mean time.Duration) time.Duration{
	"narrow": func(r *rand.Rand, m time.Duration) time.Duration {
		return time.Duration((0.8 + 0.4*r.Float64()) * float64(m))
	},
	"exponential": func(r *rand.Rand, m time.Duration) time.Duration { return time.Duration(r.ExpFloat64() * float64(m)) },
	"lognormal": func(r *rand.Rand, m time.Duration) time.Duration { // with a heavy tail
		return time.Duration(math.Exp(r.NormFloat64()-0.5) * float64(m))
	},
	"bimodal": func(r *rand.Rand, m time.Duration) time.Duration { // one in twenty takes ten times as long
		if r.IntN(20) == 0 {
			return time.Duration(10 * r.ExpFloat64() * float64(m) / 1.45)
		}
		return time.Duration(r.ExpFloat64() * float64(m) / 1.45)
	},
}

// simulate returns an upstream with the given number of workers, under a load that is a
// multiple of their capacity. Its limit has just started.
func simulate(spread string, seed uint64, workers int, load float64) *simulation {
	s := &simulation{rnd: rand.New(rand.NewPCG(seed, 3))}
	s.a.start(AdaptiveOptions{Enabled: true})
	s.ask(spread, workers, meanTime, load)
	return s
}

const meanTime = 50 * time.Millisecond

// ask sets the capacity and the load.
func (s *simulation) ask(spread string, workers int, mean time.Duration, load float64) {
	s.workers, s.mean = workers, mean
	s.takes = func() time.Duration { return spreads[spread](s.rnd, s.mean) }
	s.perSec = load * float64(workers) / mean.Seconds()
}

// watch runs for a time and returns the mean estimate, as a multiple of the
// workers, and the answers, as a share of what those can do.
func (s *simulation) watch(d time.Duration) (estimate, goodput float64) {
	const parts = 50
	answers := 0
	for range parts {
		answers += s.run(d / parts)
		estimate += s.a.estimate / parts
	}
	return estimate / float64(s.workers), float64(answers) / d.Seconds() * s.mean.Seconds() / float64(s.workers)
}

// settled has the results of many seeds.
type settled struct{ estimates, goodputs []float64 }

func (r *settled) add(estimate, goodput float64) {
	r.estimates, r.goodputs = append(r.estimates, estimate), append(r.goodputs, goodput)
}

// bounds are the bounds on the estimates of many seeds: how many may be off by more than
// 15 %, and by how much the median may be off.
type bounds struct {
	off     int
	middle  float64
	goodput float64 // in the middle
}

func (r *settled) check(t *testing.T, says string, b bounds) {
	t.Helper()
	slices.Sort(r.estimates)
	slices.Sort(r.goodputs)
	n := len(r.estimates)
	off := 0
	for _, e := range r.estimates {
		if math.Abs(e-1) > 0.15 {
			off++
		}
	}
	middle, goodput := r.estimates[n/2], r.goodputs[n/2]
	t.Logf("%-21s %2d of %d off; estimates %.2f %.2f %.2f; goodput %.2f %.2f", says, off, n, r.estimates[0], middle, r.estimates[n-1], r.goodputs[0], goodput)
	if off > b.off || math.Abs(middle-1) > b.middle || goodput < b.goodput {
		t.Errorf("%s: %d of %d estimates off by more than 15 %%, in the middle %.2f times the workers, goodput %.2f; want %+v", says, off, n, middle, goodput, b)
	}
}

// TestAdaptiveLimitSettles checks that the limit matches an upstream's capacity 5 s
// after a change, for any distribution of request durations. With at least twenty
// workers that is nearly always the case. With fewer workers and widely varying
// durations, that time has too few answers to be sure.
func TestAdaptiveLimitSettles(t *testing.T) {
	t.Parallel()
	const slow = 2 * meanTime
	for spread := range spreads {
		t.Run(spread, func(t *testing.T) {
			t.Parallel()
			for _, test := range []struct {
				from, to int
				mean     time.Duration
			}{
				{2, 5, meanTime}, {5, 2, meanTime}, {2, 100, meanTime}, {100, 10, meanTime}, {10, 20, meanTime}, {20, 10, meanTime},
				{20, 40, meanTime}, {40, 20, meanTime}, {40, 80, meanTime}, {80, 40, meanTime}, {40, 40, slow}, {400, 100, meanTime}, {100, 200, meanTime},
			} {
				seeds := uint64(12)
				if raceEnabled {
					seeds = 1
				}
				var r settled
				for seed := range seeds {
					s := simulate(spread, seed, test.from, 2.5)
					s.run(5 * time.Second)
					s.ask(spread, test.to, test.mean, 2.5)
					s.run(5 * time.Second)
					r.add(s.watch(5 * time.Second))
				}
				if raceEnabled {
					continue
				}
				b := bounds{off: 2, middle: 0.15, goodput: 0.9}
				switch {
				case spread == "narrow":
					b.off = 0
				case spread == "bimodal" && test.to < 20:
					b.off, b.middle = 12, 1
				case test.to < 20:
					b.off, b.middle = 8, 0.3
				}
				if test.to < 10 {
					b.goodput = 0.8
				}
				r.check(t, fmt.Sprintf("%d to %d workers, %v", test.from, test.to, test.mean), b)
			}
		})
	}
}

// TestAdaptiveLimitBegins checks that the limit is found soon if an overload follows a
// time of low load.
func TestAdaptiveLimitBegins(t *testing.T) {
	t.Parallel()
	if raceEnabled {
		t.Skip("nothing here runs at once, and it would take long")
	}
	for _, spread := range []string{"narrow", "exponential", "lognormal"} {
		for _, workers := range []int{5, 20, 40} {
			var r settled
			for seed := range uint64(12) {
				s := simulate(spread, seed, workers, 0.5)
				s.run(2 * time.Second)
				s.ask(spread, workers, meanTime, 10)
				s.run(2 * time.Second)
				r.add(s.watch(5 * time.Second))
			}
			b := bounds{off: 2, middle: 0.15, goodput: 0.9}
			if workers < 20 {
				b.off, b.middle = 8, 0.2
			}
			r.check(t, fmt.Sprintf("%s, %d workers", spread, workers), b)
		}
	}
}

// TestAdaptiveLimitFollows checks that the limit follows an upstream that changes
// slowly.
func TestAdaptiveLimitFollows(t *testing.T) {
	t.Parallel()
	for _, spread := range []string{"narrow", "exponential", "lognormal"} {
		s := simulate(spread, 1, 20, 2.5)
		s.run(5 * time.Second)
		var r settled
		for i := range 120 { // up to 50 in 30 s, and down again
			s.ask(spread, 20+min(i, 120-i)/2, meanTime, 2.5)
			r.add(s.watch(500 * time.Millisecond))
		}
		r.check(t, spread, bounds{off: 40, middle: 0.1, goodput: 0.9})
		if least, most := r.estimates[0], r.estimates[len(r.estimates)-1]; least < 0.6 || most > 1.7 {
			t.Errorf("%s: the estimate was between %.2f and %.2f times the workers", spread, least, most)
		}
	}
}

// TestAdaptiveLimitIdle checks that the estimate stays under little or no load, and
// that it is right soon after the load returns, at once or gradually.
func TestAdaptiveLimitIdle(t *testing.T) {
	t.Parallel()
	for _, spread := range []string{"narrow", "exponential", "lognormal"} {
		s := simulate(spread, 2, 40, 2.5)
		s.run(5 * time.Second)
		s.ask(spread, 40, meanTime, 0.2)
		s.run(time.Second)
		before := s.a.estimate
		s.run(time.Minute)
		s.ask(spread, 40, meanTime, 0)
		s.run(time.Minute)
		if after := s.a.estimate; after != before {
			t.Errorf("%s: the estimate went from %.1f to %.1f in an idle time", spread, before, after)
		}
		for i := range 20 {
			s.ask(spread, 40, meanTime, 0.2*float64(i))
			s.run(500 * time.Millisecond)
		}
		if estimate, goodput := s.watch(5 * time.Second); math.Abs(estimate-1) > 0.15 || goodput < 0.9 {
			t.Errorf("%s, after a ramp: the estimate is %.2f times the workers, goodput %.2f", spread, estimate, goodput)
		}
	}
}

// TestAdaptiveLimitFalls checks that failures alone reduce the limit.
func TestAdaptiveLimitFalls(t *testing.T) {
	var a adaptive
	a.start(AdaptiveOptions{Enabled: true, Start: 100, Min: 10})
	now := time.Unix(1000, 0)
	for range 2000 {
		now = now.Add(5 * time.Millisecond)
		a.ended(Unreachable, now, 0, a.limit())
	}
	if got := a.estimate; got != 10 {
		t.Errorf("the limit is %.0f, want the least, 10", got)
	}
}

func BenchmarkAdaptive(b *testing.B) {
	var a adaptive
	a.start(AdaptiveOptions{Enabled: true})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			a.record(Success, 0, 10)
		}
	})
}

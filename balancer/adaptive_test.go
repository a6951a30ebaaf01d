package balancer

import (
	"container/heap"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// ending is when a simulated request ends.
type endings []time.Duration

func (e endings) Len() int           { return len(e) }
func (e endings) Less(i, j int) bool { return e[i] < e[j] }
func (e endings) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *endings) Push(x any)        { *e = append(*e, x.(time.Duration)) }
func (e *endings) Pop() any          { o := *e; x := o[len(o)-1]; *e = o[:len(o)-1]; return x }

// simulation is an upstream of some workers with one queue, in its own time,
// under a load that goes on as far as the limit lets it.
type simulation struct {
	a        adaptive
	rnd      *rand.Rand
	now      time.Duration
	ends     endings         // of the requests in flight
	free     []time.Duration // when each worker is free again
	offered  int             // requests that wait for the limit
	workers  int
	takes    func() time.Duration
	perSec   float64 // requests a second that come
	answered int
}

// run goes on for a time and returns the answers.
func (s *simulation) run(d time.Duration) int {
	s.free = append(s.free, make([]time.Duration, s.workers)...)[:s.workers]
	s.answered = 0
	until := s.now + d
	next := s.now
	for {
		switch {
		case len(s.ends) > 0 && s.ends[0] <= min(next, until):
			s.now = s.ends[0]
			s.a.ended(Success, time.Unix(1000, 0).Add(s.now), int64(len(s.ends)))
			heap.Pop(&s.ends)
			s.answered++
		case next >= until:
			s.now = until
			return s.answered
		default:
			s.now = next
			s.offered = min(s.offered+1, 100)
			next = s.now + time.Duration(s.rnd.ExpFloat64()/s.perSec*float64(time.Second))
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
		heap.Push(&s.ends, s.free[w])
	}
}

// TestAdaptiveLimit holds that the limit finds what an upstream can do, and
// follows it, however much the time that a request takes varies by itself.
func TestAdaptiveLimit(t *testing.T) {
	for _, spread := range []string{"narrow", "exponential", "lognormal"} {
		if raceEnabled && spread != "narrow" {
			continue
		}
		s := &simulation{rnd: rand.New(rand.NewPCG(1, 2))}
		takes := func(mean time.Duration) func() time.Duration {
			return func() time.Duration {
				switch spread {
				case "exponential":
					return time.Duration(s.rnd.ExpFloat64() * float64(mean))
				case "lognormal":
					return time.Duration(math.Exp(s.rnd.NormFloat64()-0.5) * float64(mean))
				}
				return time.Duration((0.8 + 0.4*s.rnd.Float64()) * float64(mean))
			}
		}
		s.a.start(AdaptiveOptions{Enabled: true})
		for _, step := range []struct {
			name    string
			workers int
			mean    time.Duration
			load    float64 // as a multiple of the capacity
		}{
			{"start", 40, 50 * time.Millisecond, 2.5},
			{"half the workers", 20, 50 * time.Millisecond, 5},
			{"four times", 80, 50 * time.Millisecond, 2.5},
			{"half the speed", 80, 100 * time.Millisecond, 10},
			{"a pause", 80, 100 * time.Millisecond, 0.3},
			{"ten times", 80, 100 * time.Millisecond, 10},
		} {
			s.workers, s.takes = step.workers, takes(step.mean)
			capacity := float64(step.workers) / step.mean.Seconds()
			s.perSec = step.load * capacity
			s.run(5 * time.Second) // to settle
			sum := 0.0
			answers := 0
			for range 20 {
				answers += s.run(250 * time.Millisecond)
				sum += s.a.estimate
			}
			goodput := float64(answers) / (5 * capacity * min(step.load, 1))
			limit := sum / 20 / float64(step.workers)
			t.Logf("%s, %s: goodput %.2f, limit %.2f of the workers", spread, step.name, goodput, limit)
			if goodput < 0.85 {
				t.Errorf("%s, %s: goodput %.2f of what the upstream can do, want 0.85", spread, step.name, goodput)
			}
			if limit < 0.85 || limit > 1.2 {
				t.Errorf("%s, %s: the limit is %.2f times the workers, want 0.85 to 1.2", spread, step.name, limit)
			}
		}
	}
}

// spreads are how long requests take, by their mean.
var spreads = map[string]func(r *rand.Rand, mean time.Duration) time.Duration{
	"narrow": func(r *rand.Rand, m time.Duration) time.Duration {
		return time.Duration((0.8 + 0.4*r.Float64()) * float64(m))
	},
	"exponential": func(r *rand.Rand, m time.Duration) time.Duration { return time.Duration(r.ExpFloat64() * float64(m)) },
	"lognormal": func(r *rand.Rand, m time.Duration) time.Duration {
		return time.Duration(math.Exp(r.NormFloat64()-0.5) * float64(m))
	},
	"bursty": func(r *rand.Rand, m time.Duration) time.Duration { // one in twenty takes ten times as long
		if r.IntN(20) == 0 {
			return time.Duration(10 * r.ExpFloat64() * float64(m) / 1.45)
		}
		return time.Duration(r.ExpFloat64() * float64(m) / 1.45)
	},
}

// settled runs for 5 s and returns the mean estimate of the next 5 s, and the
// goodput in them, as a share of what the workers can do.
func (s *simulation) settled(workers int, mean time.Duration, load float64) (estimate, goodput float64) {
	capacity := float64(workers) / mean.Seconds()
	s.workers, s.perSec = workers, load*capacity
	s.run(5 * time.Second)
	answers := 0
	for range 20 {
		answers += s.run(250 * time.Millisecond)
		estimate += s.a.estimate / 20
	}
	return estimate, float64(answers) / (5 * capacity)
}

// TestAdaptiveLimitSettles steps the number of workers up and down. With forty
// and more the limit is near them after 5 s, whatever requests take; with fewer
// there are too few answers in that time to tell, and it is only not too low.
// Steps to more than four times, or less than a quarter, take longer.
func TestAdaptiveLimitSettles(t *testing.T) {
	for name, spread := range spreads {
		s := &simulation{rnd: rand.New(rand.NewPCG(3, 4))}
		s.a.start(AdaptiveOptions{Enabled: true})
		const mean = 50 * time.Millisecond
		s.takes = func() time.Duration { return spread(s.rnd, mean) }
		for _, workers := range []int{20, 40, 100, 400, 200, 80, 40, 20, 10, 5, 2} {
			estimate, goodput := s.settled(workers, mean, 2.5)
			limit := estimate / float64(workers)
			t.Logf("%s, %d workers: limit %.2f of them, goodput %.2f", name, workers, limit, goodput)
			if limit < 0.8 || workers >= 40 && (limit < 0.85 || limit > 1.2) {
				t.Errorf("%s, %d workers: the limit is %.2f of them", name, workers, limit)
			}
			if goodput < 0.75 || workers >= 20 && goodput < 0.85 {
				t.Errorf("%s, %d workers: goodput %.2f", name, workers, goodput)
			}
		}
	}
}

// TestAdaptiveLimitFalls holds that failures alone bring the limit down.
func TestAdaptiveLimitFalls(t *testing.T) {
	var a adaptive
	a.start(AdaptiveOptions{Enabled: true, Start: 100, Min: 10})
	now := time.Unix(1000, 0)
	for range 2000 {
		now = now.Add(5 * time.Millisecond)
		a.ended(Unreachable, now, a.limit())
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
			a.record(Success, 10)
		}
	})
}

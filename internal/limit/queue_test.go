package limit

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// service is a pool with a number of places, in which every request takes some time.
type service struct {
	queue  *Queue
	places atomic.Int64
	takes  time.Duration
}

func newService(places int, takes time.Duration, o QueueOptions) *service {
	s := &service{takes: takes}
	s.places.Store(int64(places))
	o.Places = func() int { return int(s.places.Load()) }
	s.queue = NewQueue(o)
	return s
}

// result is the outcome of the requests of one load.
type result struct {
	mu        sync.Mutex
	served    int
	refused   int
	longest   time.Duration // of the served requests
	slowestNo time.Duration // of the refused requests
	errs      map[error]int
}

// send sends requests at random moments, with a mean rate, for a time.
func (s *service) send(wg *sync.WaitGroup, t Ticket, rate float64, d time.Duration) *result {
	res := &result{errs: map[error]int{}}
	rnd := rand.New(rand.NewPCG(t.Client, 1))
	wg.Go(func() {
		for end := time.Now().Add(d); time.Now().Before(end); {
			time.Sleep(time.Duration(rnd.ExpFloat64() / rate * float64(time.Second)))
			wg.Go(func() { s.one(t, res) })
		}
	})
	return res
}

func (s *service) one(t Ticket, res *result) {
	began := time.Now()
	err := s.queue.Enter(context.Background(), t)
	if err == nil {
		time.Sleep(s.takes)
		s.queue.Leave()
	}
	took := time.Since(began)
	res.mu.Lock()
	defer res.mu.Unlock()
	if err == nil {
		res.served++
		res.longest = max(res.longest, took)
		return
	}
	res.refused++
	res.slowestNo = max(res.slowestNo, took)
	for _, e := range []error{ErrFull, ErrWait, ErrLate} {
		if errors.Is(err, e) {
			res.errs[e]++
		}
	}
}

// TestGoodputInOverload checks the queue's promise for any load: the places stay busy,
// served requests wait briefly, and refusals are quick.
func TestGoodputInOverload(t *testing.T) {
	const seconds = 4
	for _, places := range []int{1, 4, 40} {
		for _, times := range []float64{0.7, 1, 2.5, 10} {
			synctest.Test(t, func(t *testing.T) {
				const takes = 50 * time.Millisecond
				s := newService(places, takes, QueueOptions{MaxWait: 75 * time.Millisecond})
				capacity := float64(places) / takes.Seconds()
				var wg sync.WaitGroup
				var all []*result
				for c := range uint64(20) {
					all = append(all, s.send(&wg, Ticket{Client: c}, times*capacity/20, seconds*time.Second))
				}
				wg.Wait()
				served, refused := 0, 0
				for _, r := range all {
					served += r.served
					refused += r.refused
					if r.longest > takes+75*time.Millisecond || r.slowestNo > 75*time.Millisecond {
						t.Errorf("places %d, load %.1f: served within %v, refused within %v", places, times, r.longest, r.slowestNo)
					}
				}
				goodput := float64(served) / (seconds * capacity * min(times, 1))
				t.Logf("places %2d, load %4.1f: goodput %.3f, %d refused", places, times, goodput, refused)
				if want := 0.85; goodput < want {
					t.Errorf("places %d, load %.1f: goodput %.3f, want %.2f", places, times, goodput, want)
				}
				if n := s.queue.Busy() + s.queue.Waiting(); n != 0 {
					t.Errorf("%d places or waiters are left", n)
				}
			})
		}
	}
}

// TestBurst checks that a burst is served in order, and that waits become short if it
// turns out to be an overload.
func TestBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(4, 100*time.Millisecond, QueueOptions{})
		res := &result{errs: map[error]int{}}
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() { s.one(Ticket{Client: 1}, res) })
		}
		wg.Wait()
		if res.served != 20 || res.longest != 500*time.Millisecond {
			t.Errorf("%d of 20 served within %v, want all within 500ms", res.served, res.longest)
		}
		over := s.send(&wg, Ticket{Client: 1}, 400, 5*time.Second)
		wg.Wait()
		if over.longest > 600*time.Millisecond || over.errs[ErrWait] == 0 {
			t.Errorf("overload: served within %v, %v", over.longest, over.errs)
		}
		time.Sleep(time.Second)
		s.send(&wg, Ticket{Client: 1}, 400, 600*time.Millisecond)
		time.Sleep(600 * time.Millisecond)
		late := s.send(&wg, Ticket{Client: 1}, 400, time.Second)
		wg.Wait()
		if late.slowestNo > brief {
			t.Errorf("in a standing queue a refusal took %v, want at most %v", late.slowestNo, brief)
		}
	})
}

// TestSuddenOverload checks that an overload is recognized at once: no request waits
// long for its refusal, or until its answer is useless.
func TestSuddenOverload(t *testing.T) {
	for _, test := range []struct {
		times   float64 // load as a multiple of the capacity
		places  int
		refused time.Duration // the longest wait before a refusal
	}{
		{2.5, 15, 150 * time.Millisecond},
		{10, 15, 80 * time.Millisecond},
		{2.5, 50, 80 * time.Millisecond},
		{10, 50, 80 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			const takes = 50 * time.Millisecond
			s := newService(test.places, takes, QueueOptions{})
			capacity := float64(test.places) / takes.Seconds()
			var wg sync.WaitGroup
			var all []*result
			for c := range uint64(5) {
				all = append(all, s.send(&wg, Ticket{Client: c}, test.times*capacity/5, 3*time.Second))
			}
			wg.Wait()
			served := 0
			for _, r := range all {
				served += r.served
				if r.slowestNo > test.refused || r.longest > takes+test.refused {
					t.Errorf("%.1f times, %d places: refused within %v, served within %v, want %v", test.times, test.places, r.slowestNo, r.longest, test.refused)
				}
			}
			if goodput := float64(served) / (3 * capacity); goodput < 0.9 {
				t.Errorf("%.1f times, %d places: goodput %.2f, want 0.9", test.times, test.places, goodput)
			}
		})
	}
}

// TestGreedyClient checks that a client with unlimited demand gets only what the others
// leave.
func TestGreedyClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const takes = 50 * time.Millisecond
		s := newService(10, takes, QueueOptions{}) // 200 per second
		var wg sync.WaitGroup
		greedy := s.send(&wg, Ticket{Client: 1}, 2000, 10*time.Second)
		var polite []*result
		for c := range uint64(10) {
			polite = append(polite, s.send(&wg, Ticket{Client: 2 + c}, 10, 10*time.Second)) // together half of the capacity
		}
		wg.Wait()
		served, refused := 0, 0
		for _, p := range polite {
			served, refused = served+p.served, refused+p.refused
		}
		t.Logf("greedy: %d served, %d refused; polite: %d served, %d refused", greedy.served, greedy.refused, served, refused)
		if share := float64(refused) / float64(served+refused); share > 0.02 {
			t.Errorf("%.1f %% of the polite clients' requests were refused, want at most 2 %%", 100*share)
		}
		if got, want := greedy.served, 1200; got > want {
			t.Errorf("the greedy client got %d places, want at most the %d that are left", got, want)
		}
	})
}

func TestPriorities(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(10, 50*time.Millisecond, QueueOptions{})
		var wg sync.WaitGroup
		low := s.send(&wg, Ticket{Client: 1, Priority: Low}, 500, 5*time.Second)
		high := s.send(&wg, Ticket{Client: 2, Priority: High}, 100, 5*time.Second)
		wg.Wait()
		if high.refused > high.served/100 {
			t.Errorf("%d of high priority were refused beside %d served", high.refused, high.served)
		}
		if low.served == 0 {
			t.Error("none of low priority was served although half the places were left")
		}
	})
}

func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(1, time.Second, QueueOptions{})
		if err := s.queue.Enter(t.Context(), Ticket{}); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		err := s.queue.Enter(t.Context(), Ticket{Deadline: began.Add(30 * time.Millisecond)})
		if !errors.Is(err, ErrLate) || time.Since(began) != 30*time.Millisecond {
			t.Errorf("got %v after %v, want ErrLate after 30ms", err, time.Since(began))
		}
		if err := s.queue.Enter(t.Context(), Ticket{Deadline: began}); !errors.Is(err, ErrLate) {
			t.Errorf("a deadline that has passed: got %v, want ErrLate", err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		gone := errors.New("gone")
		cancel(gone)
		if err := s.queue.Enter(ctx, Ticket{}); err != gone {
			t.Errorf("a client that has left: got %v, want %v", err, gone)
		}
	})
}

// TestMorePlaces checks that waiting requests proceed when places are added.
func TestMorePlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(1, time.Second, QueueOptions{})
		s.queue.Enter(t.Context(), Ticket{})
		got := make(chan error, 1)
		go func() { got <- s.queue.Enter(t.Context(), Ticket{}) }()
		synctest.Wait()
		s.places.Store(2)
		s.queue.Wake()
		if err := <-got; err != nil {
			t.Error(err)
		}
	})
}

func TestFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(1, time.Second, QueueOptions{Max: 2})
		s.queue.Enter(t.Context(), Ticket{})
		enter := func(tk Ticket) chan error {
			got := make(chan error, 1)
			go func() { got <- s.queue.Enter(t.Context(), tk) }()
			synctest.Wait()
			return got
		}
		first := enter(Ticket{Client: 1, Priority: Normal})
		enter(Ticket{Client: 2, Priority: Normal})
		if err := <-enter(Ticket{Client: 3, Priority: Low}); !errors.Is(err, ErrFull) {
			t.Errorf("low priority: got %v, want ErrFull", err)
		}
		enter(Ticket{Client: 3, Priority: High})
		if err := <-first; !errors.Is(err, ErrFull) {
			t.Errorf("the oldest: got %v, want ErrFull", err)
		}
		time.Sleep(time.Second)
	})
}

// TestStandingQueueIsShort checks that a standing queue keeps only as many requests as
// can be served in time, and drops those that have waited longest.
func TestStandingQueueIsShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(10, 50*time.Millisecond, QueueOptions{})
		var wg sync.WaitGroup
		res := s.send(&wg, Ticket{Client: 1}, 2000, 2*time.Second)
		time.Sleep(time.Second)
		for range 100 {
			time.Sleep(time.Millisecond)
			if n := s.queue.Waiting(); n > 20 {
				t.Fatalf("%d wait for 10 places, want 20 at most", n)
			}
		}
		wg.Wait()
		if res.errs[ErrFull] < res.errs[ErrWait] {
			t.Errorf("%v: want most to be refused at once", res.errs)
		}
	})
}

func BenchmarkQueueFree(b *testing.B) {
	q := NewQueue(QueueOptions{Places: func() int { return 1000 }})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if q.Enter(context.Background(), Ticket{}) == nil {
				q.Leave()
			}
		}
	})
}

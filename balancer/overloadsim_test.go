package balancer

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goodgate/goodgate/internal/limit"
)

// kind is a kind of request.
type kind struct {
	takes   func(*rand.Rand) time.Duration // until the response header, once it is worked on
	waits   bool                           // it takes no worker meanwhile
	streams time.Duration                  // the answer's body
	sends   time.Duration                  // the request's body, a large one
	patient time.Duration                  // until the client gives up; 0 = 30 s
	again   int                            // number of a client's retries after a refusal
}

// server is a simulated upstream: workers, and a queue before them that has no end.
type server struct {
	free   chan struct{}
	size   int
	factor atomic.Int64 // per cent of the usual time
	paused atomic.Int64 // until when nothing ends, Unix nanoseconds
}

func newServer(workers int) *server {
	s := &server{free: make(chan struct{}, 10000)}
	s.factor.Store(100)
	s.resize(workers)
	return s
}

func (s *server) resize(n int) {
	for ; s.size < n; s.size++ {
		s.free <- struct{}{}
	}
	for ; s.size > n; s.size-- {
		go func() { <-s.free }()
	}
}

// work takes its time even when the client has gone.
func (s *server) work(k kind, takes time.Duration) {
	time.Sleep(k.sends)
	if !k.waits {
		<-s.free
	}
	time.Sleep(takes * time.Duration(s.factor.Load()) / 100)
	time.Sleep(time.Until(time.Unix(0, s.paused.Load())))
	if !k.waits {
		s.free <- struct{}{}
	}
}

// pause stops all that the server does.
func (s *server) pause(d time.Duration) { s.paused.Store(time.Now().Add(d).UnixNano()) }

// result is the result of a request.
type result struct {
	at, queued, took time.Duration
	refused, gone    bool
}

// plant is a pool with its queue and its servers, in a bubble.
type plant struct {
	t       *testing.T
	pool    *Pool
	queue   *limit.Queue
	servers []*server
	by      map[*Upstream]*server
	began   time.Time
	ends    time.Time
	clients sync.WaitGroup
	works   sync.WaitGroup // of the servers

	mu      sync.Mutex // protects the fields below
	rnd     *rand.Rand
	results []result
	limited []time.Duration // when the state changed
}

// onPlant runs a load for a duration in a bubble, and returns the results of its
// requests.
func onPlant(t *testing.T, seed uint64, last time.Duration, workers []int, load func(*plant)) *plant {
	t.Helper()
	var p *plant
	synctest.Test(t, func(t *testing.T) {
		p = &plant{t: t, rnd: rand.New(rand.NewPCG(seed, 7)), by: map[*Upstream]*server{}, began: time.Now(), ends: time.Now().Add(last)}
		p.queue = limit.NewQueue(limit.QueueOptions{Places: func() int { return p.pool.Places() }})
		p.pool = newTestPool(t, Options{Name: "app", Protect: true, Placed: p.queue.Wake}, specsOf(len(workers))...)
		for i, n := range workers {
			s := newServer(n)
			p.servers = append(p.servers, s)
			p.by[p.pool.Members()[i].Upstream] = s
		}
		p.clients.Go(p.observe)
		load(p)
		p.clients.Wait()
		p.works.Wait()
		p.pool.Update(nil)
		time.Sleep(time.Minute)
	})
	return p
}

// observe notes when the state changes.
func (p *plant) observe() {
	was := false
	for time.Now().Before(p.ends) {
		if is := p.pool.overload.is(limiting); is != was {
			was = is
			p.mu.Lock()
			p.limited = append(p.limited, time.Since(p.began))
			p.mu.Unlock()
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// random calls f with the plant's source.
func (p *plant) random(f func(*rand.Rand) time.Duration) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return f(p.rnd)
}

// open sends a number of requests a second, at random, between two times.
func (p *plant) open(from, to time.Duration, perSecond float64, k kind) {
	p.ramp(from, to, perSecond, perSecond, k)
}

// ramp is open at a rate that grows, or falls.
func (p *plant) ramp(from, to time.Duration, first, last float64, k kind) {
	p.clients.Go(func() {
		for at := from; ; {
			rate := first + (last-first)*float64(at-from)/float64(to-from)
			at += p.random(func(r *rand.Rand) time.Duration {
				return time.Duration(r.ExpFloat64() / rate * float64(time.Second))
			})
			if at >= to {
				return
			}
			time.Sleep(time.Until(p.began.Add(at)))
			p.clients.Go(func() { p.ask(k) })
		}
	})
}

// closed starts n clients that each send the next request after a pause after an
// answer.
func (p *plant) closed(from, to time.Duration, n int, pause time.Duration, k kind) {
	p.clients.Go(func() {
		time.Sleep(time.Until(p.began.Add(from)))
		for range n {
			p.clients.Go(func() {
				for time.Since(p.began) < to {
					p.ask(k)
					time.Sleep(pause)
				}
			})
		}
	})
}

// at applies f to every server at a time.
func (p *plant) at(when time.Duration, change func(i int, s *server)) {
	p.clients.Go(func() {
		time.Sleep(time.Until(p.began.Add(when)))
		for i, s := range p.servers {
			p.clients.Go(func() { change(i, s) })
		}
	})
}

// ask sends one request, like a delivery.
func (p *plant) ask(k kind) {
	if k.patient == 0 {
		k.patient = 30 * time.Second
	}
	ctx, cancel := context.WithTimeout(context.Background(), k.patient)
	defer cancel()
	r := result{at: time.Since(p.began)}
	began := time.Now()
	for range k.again + 1 {
		if r.refused = !p.try(ctx, k, &r); !r.refused {
			break
		}
	}
	r.took = time.Since(began) - k.streams
	p.mu.Lock()
	p.results = append(p.results, r)
	p.mu.Unlock()
}

func (p *plant) try(ctx context.Context, k kind, r *result) bool {
	began := time.Now()
	p.mu.Lock()
	client := p.rnd.Uint64N(20)
	p.mu.Unlock()
	if p.queue.Enter(ctx, limit.Ticket{Client: client}) != nil {
		return false
	}
	held := true
	leave := func() {
		if held {
			held = false
			p.queue.Leave()
		}
	}
	defer leave()
	if k.sends > 0 {
		leave()
	}
	lease, u := p.acquire()
	defer lease.Release()
	r.queued += time.Since(began)
	takes := p.random(k.takes)
	if k.sends > 0 {
		lease.Sending()
	}
	sent, done := time.Now(), make(chan struct{})
	p.works.Go(func() {
		p.by[u].work(k, takes)
		close(done)
	})
	select {
	case <-done:
		lease.Report(Success, time.Since(sent))
	case <-ctx.Done():
		r.gone = true
		return true
	}
	leave()
	time.Sleep(k.streams)
	return true
}

func (p *plant) acquire() (Lease, *Upstream) {
	w, err := p.pool.Wait(0, WaitLimits{Requests: 100000})
	if err != nil {
		p.t.Fatal(err)
	}
	defer w.Leave()
	for {
		if m := p.pool.Pick(&Choice{Replayable: true}); m != nil {
			if l, ok := m.TryAcquire(); ok {
				return l, m.Upstream
			}
		}
		<-w.C
	}
}

// between returns the results of requests that came between two times.
func (p *plant) between(from, to time.Duration) (all []result) {
	for _, r := range p.results {
		if r.at >= from && r.at < to {
			all = append(all, r)
		}
	}
	return all
}

func quantileOf(all []result, q float64, of func(result) (time.Duration, bool)) time.Duration {
	var times []time.Duration
	for _, r := range all {
		if d, ok := of(r); ok {
			times = append(times, d)
		}
	}
	if len(times) == 0 {
		return 0
	}
	slices.Sort(times)
	return times[int(q*float64(len(times)-1))]
}

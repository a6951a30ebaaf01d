package bench

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"
)

// Plan configures one run.
type Plan struct {
	Target Target
	Pace   Pace
	For    time.Duration // duration of the load
	Max    int           // limit on concurrent requests; a request beyond it waits, and the wait counts; 0 = 10000
	// Progress, if not nil, is called with every second, one second after its end.
	Progress func(Second)
}

const maxAtOnce = 10_000

// Run executes a plan until its end, or until ctx ends. It waits for requests in
// flight.
func Run(ctx context.Context, p Plan) (*Result, error) {
	if p.For <= 0 {
		return nil, errors.New("the duration must be above 0")
	}
	if p.Max == 0 {
		p.Max = maxAtOnce
	}
	c, err := newClient(p.Target)
	if err != nil {
		return nil, err
	}
	defer c.close()
	g := &generator{plan: p, client: c, record: newRecorder(), due: make(chan time.Time), buffers: sync.Pool{New: func() any { return new([16 << 10]byte) }}}
	g.run(ctx)
	r := g.record.result()
	r.Target = c.url.Redacted() // results are shown to others
	return r, nil
}

// generator is a run in progress.
type generator struct {
	plan    Plan
	client  *client
	record  *recorder
	due     chan time.Time // due times of requests, for idle workers
	workers sync.WaitGroup
	count   int
	buffers sync.Pool
}

func (g *generator) run(ctx context.Context) {
	stop := g.report()
	defer stop()
	start := time.Now()
	g.record.start = start
	for n := 0; ctx.Err() == nil; n++ {
		at := g.plan.Pace.At(n)
		if at >= g.plan.For {
			break
		}
		if !sleepUntil(ctx, start.Add(at)) {
			break
		}
		g.hand(start.Add(at))
	}
	close(g.due)
	g.workers.Wait()
	g.record.end = time.Now()
}

// hand gives a request to an idle worker, or to a new one below the limit.
func (g *generator) hand(at time.Time) {
	select {
	case g.due <- at:
		return
	default:
	}
	if g.count < g.plan.Max {
		g.count++
		g.workers.Go(func() { g.work(at) })
		return
	}
	g.due <- at
}

// work sends requests at their due times.
func (g *generator) work(at time.Time) {
	buf := g.buffers.Get().(*[16 << 10]byte)
	defer g.buffers.Put(buf)
	for ok := true; ok; at, ok = <-g.due {
		r := g.client.send(buf[:])
		g.record.add(at, time.Now(), &r)
	}
}

// report reports each second after its end; the returned function stops that.
func (g *generator) report() (stop func()) {
	if g.plan.Progress == nil {
		return func() {}
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case now := <-tick.C:
				if s, ok := g.record.last(now); ok {
					g.plan.Progress(s)
				}
			}
		}
	})
	return func() {
		close(done)
		wg.Wait()
	}
}

// sleepUntil waits for a time, and returns false if ctx ended first. It yields the
// processor for the last moment, because a timer may be late by more than the interval
// between two requests.
func sleepUntil(ctx context.Context, t time.Time) bool {
	const spin = 100 * time.Microsecond
	if d := time.Until(t); d > spin {
		timer := time.NewTimer(d - spin)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return false
		}
	}
	for time.Now().Before(t) {
		runtime.Gosched()
	}
	return true
}

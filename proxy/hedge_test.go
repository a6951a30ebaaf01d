package proxy_test

import (
	"context"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/proxy"
)

// hedgeAfter is the time until a hedge in these tests.
const hedgeAfter = 10 * time.Millisecond

func hedgeSetup() setup {
	s := setup{upstreams: specs("a:80", "b:80")}
	s.pool.Retry = retries(3)
	s.pool.Retry.Statuses = []int{503}
	s.pool.Retry.Hedge = proxy.Hedge{After: hedgeAfter, Budget: 1}
	s.pool.Timeouts.ResponseHeader = time.Minute
	return s
}

// after answers every request on its connections with text after ms milliseconds. With ""
// it closes them.
func after(ms int, text string) func(c *wire) {
	return func(c *wire) {
		for {
			if r, _ := c.request(); r == nil {
				return
			}
			time.Sleep(time.Duration(ms) * time.Millisecond)
			if text == "" {
				return
			}
			c.say(text)
		}
	}
}

const (
	fine = "HTTP/1.1 200 OK\nContent-Length: 2\n\nok"
	busy = "HTTP/1.1 503 Service Unavailable\nContent-Length: 0\n\n"
)

// hedgeCase is one request to upstreams, the first of which is slow.
type hedgeCase struct {
	change func(*setup)
	method string
	header http.Header
	a, b   func(c *wire)
	status int // 0 = 200
	took   int // milliseconds
	record string
	by     reason.Means
	hidden reason.Reason
}

func TestHedge(t *testing.T) {
	t.Parallel()
	slow, quick := after(500, fine), after(3, fine)
	const hedged, alone = "a:none:lost_race b:200:answered", "a:200:answered"
	third := func(s *setup) { s.upstreams = specs("a:80", "b:80", "c:80") }
	for name, c := range map[string]hedgeCase{
		"the first is slow":       {a: slow, b: quick, took: 13, record: hedged, by: reason.ByHedge},
		"the first is in time":    {a: after(9, fine), b: quick, took: 9, record: alone},
		"the first is faster":     {a: after(15, fine), b: after(100, fine), took: 15, record: "b:none:lost_race a:200:answered"},
		"the first fails":         {a: after(12, ""), b: after(20, fine), took: 30, record: "a:closed_before_response:hedged b:200:answered", by: reason.ByHedge, hidden: reason.ClosedBeforeResponse},
		"the first fails in time": {a: after(5, ""), b: quick, took: 8, record: "a:closed_before_response:retried b:200:answered", by: reason.ByRetry, hidden: reason.ClosedBeforeResponse},
		"the first is busy":       {a: after(12, busy), b: after(20, fine), took: 30, record: "a:503:hedged b:200:answered", by: reason.ByHedge, hidden: reason.UpstreamStatus},
		"the second fails":        {a: after(50, fine), b: after(5, ""), took: 50, record: "b:closed_before_response:hedged a:200:answered", by: reason.ByRetry, hidden: reason.ClosedBeforeResponse},
		"the second is busy":      {a: after(50, fine), b: after(5, busy), took: 50, record: "b:503:hedged a:200:answered", by: reason.ByRetry, hidden: reason.UpstreamStatus},
		"the second refuses":      {a: after(50, fine), took: 50, record: "b:connect_refused:hedged a:200:answered", by: reason.ByRetry, hidden: reason.ConnectRefused},
		"both are busy":           {change: third, a: after(20, busy), b: after(5, busy), took: 20, record: "b:503:hedged a:503:retried c:200:answered", by: reason.ByRetry, hidden: reason.UpstreamStatus},
		"one fails, one is busy":  {change: third, a: after(20, ""), b: after(5, busy), took: 20, record: "a:closed_before_response:hedged b:503:retried c:200:answered", by: reason.ByRetry, hidden: reason.ClosedBeforeResponse},
		"both fail":               {a: after(20, ""), b: after(5, ""), status: 502, took: 20, record: "b:closed_before_response:hedged a:closed_before_response:deadly"},
		"within a try's bound":    {change: func(s *setup) { s.pool.Retry.PerTry = 100 * time.Millisecond }, a: slow, b: quick, took: 13, record: hedged, by: reason.ByHedge},
		"a try's bound is shorter": {change: func(s *setup) { s.pool.Retry.PerTry = 5 * time.Millisecond }, a: slow, b: quick, took: 8,
			record: "a:response_timeout:retried b:200:answered", by: reason.ByRetry, hidden: reason.ResponseTimeout},
		"the deadline ends both": {change: func(s *setup) { s.route.Timeout = 50 * time.Millisecond }, a: slow, b: slow, status: 504, took: 50,
			record: "b:response_timeout:hedged a:response_timeout:out_of_time"},

		"HEAD": {method: "HEAD", a: slow, b: quick, took: 13, record: hedged, by: reason.ByHedge},
		"POST": {method: "POST", a: slow, b: quick, took: 500, record: alone},
		"PUT":  {method: "PUT", a: slow, b: quick, took: 500, record: alone},
		"POST with a key": {method: "POST", header: http.Header{"Idempotency-Key": {"1"}}, change: func(s *setup) { s.route.IdempotencyKey = true },
			a: slow, b: quick, took: 500, record: alone},
		"POST that is safe": {method: "POST", change: func(s *setup) { s.route.RetrySafe = true }, a: slow, b: quick, took: 13, record: hedged, by: reason.ByHedge},
		"a large body": {method: "POST", change: func(s *setup) { s.route.RetrySafe = true; s.pool.Retry.MaxBody = 3 },
			a: slow, b: quick, took: 500, record: alone},
		"an upgrade":     {header: http.Header{"Connection": {"Upgrade"}, "Upgrade": {"x"}}, a: slow, b: quick, took: 500, record: alone},
		"events":         {header: http.Header{"Accept": {"text/event-stream"}}, a: slow, b: quick, took: 500, record: alone},
		"gRPC":           {method: "POST", header: http.Header{"Content-Type": {"application/grpc"}}, change: func(s *setup) { s.route.RetrySafe = true }, a: slow, b: quick, took: 500, record: alone},
		"no budget":      {change: func(s *setup) { s.pool.Retry.Hedge.Budget = 0.9 }, a: slow, b: quick, took: 500, record: alone},
		"off":            {change: func(s *setup) { s.pool.Retry.Hedge.After = 0 }, a: slow, b: quick, took: 500, record: alone},
		"unknown":        {change: func(s *setup) { s.pool.Retry.Hedge.Quantile = 0.95 }, a: slow, b: quick, took: 500, record: alone},
		"least delay":    {change: func(s *setup) { s.pool.Retry.Hedge.MinDelay = 20 * time.Millisecond }, a: slow, b: quick, took: 23, record: hedged, by: reason.ByHedge},
		"lone upstream":  {change: func(s *setup) { s.upstreams = specs("a:80") }, a: slow, b: quick, took: 500, record: alone},
		"another tier":   {change: func(s *setup) { s.upstreams[1].Tier = 1 }, a: slow, b: quick, took: 500, record: alone},
		"affinity":       {change: func(s *setup) { s.pool.HashOn = proxy.HashPath }, a: slow, b: quick, took: 500, record: alone},
		"a streamed one": {a: slow, b: after(3, "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n2\nok\n0\n\n"), took: 13, record: hedged, by: reason.ByHedge},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.run(t)
		})
	}
}

func (c hedgeCase) run(t *testing.T) {
	s := hedgeSetup()
	if c.change != nil {
		c.change(&s)
	}
	bubble(t, s, func(w *world) {
		w.script("a:80", c.a)
		if c.b != nil {
			w.script("b:80", c.b)
		}
		w.script("c:80", after(0, fine))
		if c.method == "" {
			c.method = "GET"
		}
		var body io.Reader
		if c.method == "POST" || c.method == "PUT" {
			body = strings.NewReader("body")
		}
		r := w.request(c.method, "/", body)
		maps.Copy(r.Header, c.header)
		began := time.Now()
		got := w.do(r)
		check(t, "took", time.Since(began), time.Duration(c.took)*time.Millisecond)
		if c.status == 0 {
			c.status = 200
			if c.method != "HEAD" {
				check(t, "body", got.body, "ok")
			}
		}
		check(t, "status", got.status, c.status)
		rec := w.record()
		check(t, "record", decisions(rec), c.record)
		check(t, "absorbed", rec.Absorbed, c.by)
		check(t, "hidden", rec.Hidden, c.hidden)
		check(t, "in flight", w.pool.InFlight(), 0)
	})
}

// A slow connection attempt counts as slow, too.
func TestHedgeWhileConnecting(t *testing.T) {
	t.Parallel()
	var w *world
	s := hedgeSetup()
	s.pool.Timeouts.Dial = time.Second
	s.pool.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if addr == "a:80" {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return w.net.DialContext(ctx, network, addr)
	}
	bubble(t, s, func(world *world) {
		w = world
		w.script("b:80", after(3, fine))
		began := time.Now()
		check(t, "status", w.get().status, 200)
		check(t, "took", time.Since(began), 13*time.Millisecond)
		check(t, "record", decisions(w.record()), "a:none:lost_race b:200:answered")
	})
}

// The pool's own p95 decides once there are enough samples. A pool that gets slower
// hedges later.
func TestHedgeAdapts(t *testing.T) {
	t.Parallel()
	s := hedgeSetup()
	s.pool.Retry.Hedge = proxy.Hedge{Quantile: 0.95, Budget: 1}
	bubble(t, s, func(w *world) {
		var slow atomic.Int64
		w.app("a:80", func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(time.Duration(slow.Load())):
			case <-r.Context().Done():
			}
		})
		w.app("b:80", func(http.ResponseWriter, *http.Request) { time.Sleep(20 * time.Millisecond) })
		ask := func() time.Duration {
			began := time.Now()
			check(t, "status", w.get().status, 200)
			return time.Since(began)
		}
		slow.Store(int64(time.Second))
		check(t, "first request", ask(), time.Second)
		slow.Store(int64(40 * time.Millisecond))
		for range 99 {
			ask()
		}
		slow.Store(int64(time.Second))
		if got := ask(); got < 60*time.Millisecond || got > 65*time.Millisecond {
			t.Errorf("slow request: took %v, want 20ms after 40ms and an eighth at most", got)
		}
		check(t, "record", decisions(w.record()), "a:none:lost_race b:200:answered")
		slow.Store(int64(time.Microsecond))
		for range 3000 {
			ask()
		}
		slow.Store(int64(time.Second))
		check(t, "slow request of a fast pool", ask(), 21*time.Millisecond)
		slow.Store(0)
		for range 20 {
			ask()
		}
	})
}

// The budget pays for a hedge that does not help. A hedge that helps is free.
func TestHedgeBudget(t *testing.T) {
	t.Parallel()
	for want, second := range map[string]func(c *wire){
		"...h...h...h": after(100, fine),
		"...hhhhhhhhh": after(0, fine),
	} {
		s := hedgeSetup()
		s.pool.Retry.Hedge.Budget = 0.25
		bubble(t, s, func(w *world) {
			w.script("a:80", after(20, fine))
			w.script("b:80", second)
			var hedged strings.Builder
			for range len(want) {
				w.get()
				hedged.WriteString(map[int]string{1: ".", 2: "h"}[len(w.record().Attempts)])
			}
			check(t, "hedged", hedged.String(), want)
		})
	}
}

// When an upstream falls silent, more requests wait for it than the budget has tokens.
// They get hedges one after another, as tokens come back.
func TestHedgesTakeTurns(t *testing.T) {
	t.Parallel()
	s := hedgeSetup()
	s.balancer.Policy = "first"
	s.pool.Retry.Hedge.Budget = 0.25
	bubble(t, s, func(w *world) {
		w.script("a:80", waitsForClose)
		w.script("b:80", after(3, fine))
		began := time.Now()
		var group sync.WaitGroup
		for range 4 { // which bring one token
			group.Go(func() { check(t, "status", w.get().status, 200) })
		}
		group.Wait()
		if took := time.Since(began); took > time.Second {
			t.Errorf("took %v in all, want some 10 ms each", took)
		}
	})
}

// An attempt after a failed one may be slow as well. It gets a hedge while attempts are
// left for both.
func TestHedgeOfALaterTry(t *testing.T) {
	t.Parallel()
	for attempts, want := range map[int]string{
		3: "a:503:retried b:none:lost_race c:200:answered",
		2: "a:503:retried b:200:answered",
	} {
		s := hedgeSetup()
		s.upstreams = specs("a:80", "b:80", "c:80")
		s.balancer.Policy = "first"
		s.pool.Retry.Attempts = attempts
		bubble(t, s, func(w *world) {
			w.script("a:80", after(0, busy))
			w.script("b:80", after(500, fine))
			w.script("c:80", after(3, fine))
			check(t, "status", w.get().status, 200)
			check(t, "record", decisions(w.record()), want)
		})
	}
}

// A request that waits before its lateness can be known gets a hedge once it is known.
func TestHedgeOnceLatenessIsKnown(t *testing.T) {
	t.Parallel()
	s := hedgeSetup()
	s.balancer.Policy = "first"
	s.pool.Retry.Hedge = proxy.Hedge{Quantile: 0.95, Budget: 1}
	bubble(t, s, func(w *world) {
		var asked atomic.Int64
		w.app("a:80", func(_ http.ResponseWriter, r *http.Request) {
			if asked.Add(1) == 1 {
				<-r.Context().Done()
			}
		})
		w.app("b:80", ok)
		began := time.Now()
		var group sync.WaitGroup
		group.Go(func() {
			check(t, "status", w.get().status, 200)
			if took := time.Since(began); took < 200*time.Millisecond || took > 400*time.Millisecond {
				t.Errorf("took %v, want a moment more than 200ms", took)
			}
		})
		time.Sleep(200 * time.Millisecond)
		for range 96 {
			w.get()
		}
		group.Wait()
	})
}

// No request is hedged while others wait for a place, or while there is no place.
func TestNoHedgeUnderOverload(t *testing.T) {
	t.Parallel()
	s := hedgeSetup()
	s.upstreams[1].MaxInFlight = 1
	bubble(t, s, func(w *world) {
		w.script("a:80", after(100, fine))
		w.script("b:80", after(0, fine))
		waiting, err := w.pool.Wait(0, balancer.WaitLimits{Requests: 1})
		check(t, "error", err, nil)
		w.get()
		check(t, "while one waits", decisions(w.record()), "a:200:answered")
		waiting.Leave()
		members := w.pool.Members()
		lease, _ := members[1].TryAcquire()
		w.get()
		check(t, "while all is taken", decisions(w.record()), "a:200:answered")
		lease.Release()
		w.get()
		check(t, "afterwards", decisions(w.record()), "a:none:lost_race b:200:answered")
	})
}

// The losing attempt is cancelled at once, and has no effect.
func TestLostRaceHasNoEffect(t *testing.T) {
	t.Parallel()
	s := hedgeSetup()
	s.balancer.MaxEjected = 1
	s.balancer.Breaker = balancer.BreakerOptions{Enabled: true, Consecutive: 1}
	bubble(t, s, func(w *world) {
		var ended journal
		began := time.Now()
		w.app("a:80", func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			ended.add("%v", time.Since(began))
		})
		w.app("b:80", func(w http.ResponseWriter, _ *http.Request) {
			w.Write(make([]byte, 100<<10)) // outlasts the race
			http.NewResponseController(w).Flush()
			time.Sleep(time.Second)
			io.WriteString(w, "end")
		})
		got := w.get()
		check(t, "length", len(got.body), 100<<10+3)
		check(t, "error", got.err, nil)
		check(t, "the first was ended after", ended.String(), hedgeAfter.String())
		check(t, "record", decisions(w.record()), "a:none:lost_race b:200:answered")
		first := w.pool.Members()[0]
		check(t, "breaker", first.Breaker(), balancer.Closed)
		check(t, "latency", first.Latency(), 0)
		if log := w.record().Attempts[0]; log.Err != nil || log.Took != hedgeAfter {
			t.Errorf("attempt: %+v", log)
		}
	})
}

// A client that leaves ends both attempts.
func TestClientLeavesRace(t *testing.T) {
	t.Parallel()
	bubble(t, hedgeSetup(), func(w *world) {
		for _, name := range []string{"a:80", "b:80"} {
			w.app(name, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		}
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		w.do(w.request("GET", "/", nil).WithContext(ctx))
		rec := w.record()
		check(t, "reason", rec.Reason, reason.ClientGone)
		check(t, "record", decisions(rec), "b:client_gone:hedged a:client_gone:clients_fault")
		check(t, "in flight", w.pool.InFlight(), 0)
	})
}

// Over HTTP/2 the stream that lost is reset, and its connection stays.
func TestHedgeHTTP2(t *testing.T) {
	t.Parallel()
	s := hedgeSetup()
	s.pool = h2(s.pool)
	bubble(t, s, func(w *world) {
		var ended journal
		began := time.Now()
		w.h2app("a:80", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/quick" {
				return
			}
			<-r.Context().Done()
			ended.add("%v", time.Since(began))
		})
		w.h2app("b:80", func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(3 * time.Millisecond)
			w.Write(make([]byte, 100<<10)) // outlasts the race
			http.NewResponseController(w).Flush()
			time.Sleep(time.Second)
			io.WriteString(w, "end")
		})
		got := w.get()
		check(t, "length", len(got.body), 100<<10+3)
		check(t, "error", got.err, nil)
		check(t, "the first was ended after", ended.String(), (hedgeAfter + 3*time.Millisecond).String())
		check(t, "record", decisions(w.record()), "a:none:lost_race b:200:answered")
		check(t, "absorbed", w.record().Absorbed, reason.ByHedge)
		w.send("GET", "/quick", nil)
		rec := w.record()
		check(t, "next", decisions(rec), "a:200:answered")
		check(t, "on the same connection", rec.Attempts[0].Reused, true)
	})
}

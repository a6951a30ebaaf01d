package proxy_test

import (
	"context"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/proxy"
)

// evidenceSetup is a pool at its default: it hedges on evidence.
func evidenceSetup(upstreams ...string) setup {
	s := setup{upstreams: specs(upstreams...)}
	s.balancer.Policy, s.balancer.Checked = "first", true
	s.pool.Retry = retries(5)
	s.pool.Retry.BudgetMin = 10
	s.pool.Retry.Hedge = proxy.Hedge{Quantile: 0.95, Budget: 0.05, OnEvidence: true}
	s.pool.Timeouts.ResponseHeader = time.Minute
	return s
}

// probed answers the probes of all upstreams that do not hang.
func (w *world) probed(hung ...string) {
	members := w.pool.Members()
	for i := range members {
		u := members[i].Upstream
		u.ObserveProbe(balancer.Passed, balancer.Thresholds{})
		u.ProbeBegins(time.Now())
		u.Answered(time.Now())
		u.ProbeEnds(false)
		u.OnNudge(func() {
			select {
			case <-u.Nudged():
			default:
				return
			}
			go probe(u, hung)
		})
	}
}

func probe(u *balancer.Upstream, hung []string) {
	u.ProbeBegins(time.Now())
	for _, name := range hung {
		if name == u.Addr() {
			time.Sleep(time.Second)
			u.ProbeEnds(true)
			return
		}
	}
	time.Sleep(time.Millisecond)
	u.Answered(time.Now())
	u.ProbeEnds(false)
}

// Without an answer, the state of the upstream's process decides. A request goes to
// another upstream when the process hangs, and stays when it runs, however long it takes.
// A report, a long poll and a wait for a message (hedgedhttp#61, ioBroker.telegram#1382)
// are sent once. The pool has no samples: its usual times are unknown.
func TestEvidence(t *testing.T) {
	t.Parallel()
	const moved, alone = "a:none:lost_race b:200:answered", "a:200:answered"
	long := after(20_000, fine)
	for name, c := range map[string]struct {
		change func(*setup)
		method string
		header http.Header
		a, b   func(c *wire)
		hung   string
		quick  bool // takes less than 1.5 s
		record string
	}{
		"the upstream hangs":       {a: waitsForClose, hung: "a:80", quick: true, record: moved},
		"the upstream hangs, HEAD": {method: "HEAD", a: waitsForClose, hung: "a:80", quick: true, record: moved},
		"a report":                 {a: long, record: alone},
		"a report elsewhere":       {a: waitsForClose, b: long, hung: "a:80", record: moved},
		"two hang":                 {a: waitsForClose, b: waitsForClose, hung: "a:80 b:80", quick: true, record: "a:none:lost_race c:200:answered"},
		"one hangs, one closes":    {a: waitsForClose, b: after(3, ""), hung: "a:80", quick: true, record: "a:none:lost_race b:closed_before_response:hedged c:200:answered"},
		"PUT":                      {method: "PUT", a: long, hung: "a:80", record: alone},
		"POST":                     {method: "POST", a: long, hung: "a:80", record: alone},
		"off":                      {change: func(s *setup) { s.pool.Retry.Hedge = proxy.Hedge{} }, a: long, hung: "a:80", record: alone},
		"no probes":                {change: func(s *setup) { s.balancer.Checked = false }, a: long, record: alone},
		"events":                   {header: http.Header{"Accept": {"text/event-stream"}}, a: waitsForClose, hung: "a:80", quick: true, record: moved},
		"late events":              {header: http.Header{"Accept": {"text/event-stream"}}, a: long, record: alone},
		"an upgrade":               {header: http.Header{"Connection": {"Upgrade"}, "Upgrade": {"x"}}, a: long, hung: "a:80", record: alone},
		"nothing to pay with":      {change: func(s *setup) { s.pool.Retry.Budget, s.pool.Retry.BudgetMin = 0, 0 }, a: long, hung: "a:80", record: alone},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := evidenceSetup("a:80", "b:80", "c:80")
			if c.change != nil {
				c.change(&s)
			}
			bubble(t, s, func(w *world) {
				if c.b == nil {
					c.b = after(3, fine)
				}
				w.script("a:80", c.a)
				w.script("b:80", c.b)
				w.script("c:80", after(3, fine))
				w.probed(strings.Fields(c.hung)...)
				if c.method == "" {
					c.method = "GET"
				}
				time.Sleep(time.Second) // so that there is no recent sign of life
				r := w.request(c.method, "/", nil)
				maps.Copy(r.Header, c.header)
				began := time.Now()
				check(t, "status", w.do(r).status, 200)
				if took := time.Since(began); took < 1500*time.Millisecond != c.quick {
					t.Error("took", took)
				}
				check(t, "record", decisions(w.record()), c.record)
				if attempts := w.record().Attempts; len(attempts) > 1 {
					check(t, "because", attempts[len(attempts)-1].Because, "hung")
				}
			})
		})
	}
}

// A sticky request goes to another upstream when its own hangs, but not when it is late.
func TestEvidenceOfAffinity(t *testing.T) {
	t.Parallel()
	for _, hangs := range []bool{true, false} {
		s := evidenceSetup("a:80", "b:80")
		s.balancer.Policy, s.pool.HashOn = "hash", proxy.HashPath
		bubble(t, s, func(w *world) {
			var slow atomic.Value // its address
			slow.Store("")
			for _, name := range []string{"a:80", "b:80"} {
				w.app(name, func(_ http.ResponseWriter, r *http.Request) {
					if slow.Load() == name {
						select {
						case <-time.After(3 * time.Second):
						case <-r.Context().Done():
						}
					}
				})
			}
			w.probed()
			for range 100 {
				w.get()
			}
			mine := w.record().Attempts[0].Upstream
			slow.Store(mine)
			if hangs {
				w.probed(mine)
			}
			for range 5 {
				began := time.Now()
				check(t, "status", w.get().status, 200)
				check(t, "quick", time.Since(began) < 1500*time.Millisecond, hangs)
			}
		})
	}
}

// While a connection is being made, a second one to another upstream is made as well. The
// request is sent once, on the first connection.
func TestEvidenceWhileConnecting(t *testing.T) {
	t.Parallel()
	for _, protocol := range []proxy.Protocol{proxy.HTTP1, proxy.HTTP2} {
		for _, c := range []struct {
			a, b   time.Duration // time to connect; 0 = connecting fails
			took   time.Duration
			record string
		}{
			{a: time.Hour, b: time.Millisecond, took: 101, record: "a:none:lost_race b:200:answered"},
			{a: 200 * time.Millisecond, b: 300 * time.Millisecond, took: 200, record: "b:none:lost_race a:200:answered"},
			{a: 300 * time.Millisecond, b: 150 * time.Millisecond, took: 250, record: "a:none:lost_race b:200:answered"},
			{a: 300 * time.Millisecond, took: 300, record: "b:connect_refused:hedged a:200:answered"},
		} {
			var w *world
			s := evidenceSetup("a:80", "b:80")
			s.pool.Protocol = protocol
			s.pool.Timeouts.Dial = 2 * time.Second
			s.pool.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
				d := map[string]time.Duration{"a:80": c.a, "b:80": c.b}[addr]
				if d == 0 {
					return nil, syscall.ECONNREFUSED
				}
				select {
				case <-time.After(d):
				case <-ctx.Done():
					return nil, ctx.Err()
				}
				return w.net.DialContext(ctx, network, addr)
			}
			bubble(t, s, func(world *world) {
				w = world
				var executed atomic.Int64
				for _, name := range []string{"a:80", "b:80"} {
					w.listen(name, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { executed.Add(1) }), func(s *http.Server) {
						s.Protocols = new(http.Protocols)
						s.Protocols.SetHTTP1(true)
						s.Protocols.SetUnencryptedHTTP2(true)
					})
				}
				w.probed()
				began := time.Now()
				check(t, "status", w.get().status, 200)
				check(t, "took", time.Since(began), c.took*time.Millisecond)
				check(t, "record", decisions(w.record()), c.record)
				time.Sleep(3 * time.Second) // until the connection in progress times out
				check(t, "executed", executed.Load(), 1)
				for range 3 {
					check(t, "status afterwards", w.get().status, 200)
				}
				time.Sleep(3 * time.Second)
			})
		}
	}
}

// An upstream that runs but is ten times slower than the others shows it in its other
// requests: from the fifth on they go elsewhere. Lateness alone is no evidence.
func TestEvidenceOfOthers(t *testing.T) {
	t.Parallel()
	s := evidenceSetup("a:80", "b:80")
	bubble(t, s, func(w *world) {
		var takes atomic.Int64
		takes.Store(int64(10 * time.Millisecond))
		w.app("a:80", func(http.ResponseWriter, *http.Request) { time.Sleep(time.Duration(takes.Load())) })
		w.app("b:80", func(http.ResponseWriter, *http.Request) { time.Sleep(10 * time.Millisecond) })
		w.probed()
		for range 200 {
			w.get()
		}
		takes.Store(int64(100 * time.Millisecond))
		var seen []string
		for range 6 {
			w.get()
			seen = append(seen, decisions(w.record()))
		}
		check(t, "records", strings.Join(seen, ", "), "a:200:answered, a:200:answered, a:200:answered, "+
			strings.TrimSuffix(strings.Repeat("a:none:lost_race b:200:answered, ", 3), ", "))
		takes.Store(int64(10 * time.Millisecond))
		for range 20 {
			w.get()
		}
		takes.Store(int64(100 * time.Millisecond))
		w.get()
		check(t, "afterwards", decisions(w.record()), "a:200:answered")
	})
}

// Slow requests among fast ones are sent once, in any order.
func TestEvidenceOfAMix(t *testing.T) {
	t.Parallel()
	s := evidenceSetup("a:80", "b:80", "c:80")
	s.balancer.Policy = ""
	bubble(t, s, func(w *world) {
		for _, name := range []string{"a:80", "b:80", "c:80"} {
			w.app(name, func(_ http.ResponseWriter, r *http.Request) {
				time.Sleep(10 * time.Millisecond)
				if r.URL.Path == "/message" {
					time.Sleep(time.Second)
				}
			})
		}
		w.probed()
		random := rand.New(rand.NewPCG(1, 2))
		var group sync.WaitGroup
		for range 4000 {
			path := "/"
			if random.Float64() < 0.03 {
				path = "/message"
			}
			group.Go(func() { w.send("GET", path, nil) })
			time.Sleep(time.Duration(random.ExpFloat64() * float64(5*time.Millisecond)))
		}
		group.Wait()
		twice := 0
		for _, r := range w.records {
			if len(r.Attempts) > 1 {
				twice++
			}
		}
		check(t, "sent twice", twice, 0)
	})
}

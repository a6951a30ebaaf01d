package gate

import (
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/goodgate/goodgate/internal/admin"
)

// sceneTable is all of them.
func sceneTable() []scene {
	return slices.Concat(quietScenes(), availabilityScenes(), faultScenes(), loadScenes(), poolScenes(), ownScenes(), otherScenes())
}

// quietScenes are scenes with events, but without a fault.
func quietScenes() []scene {
	return []scene{
		{"all healthy", word{}, func(s *stage) {
			s.run(`pools: {app: {upstreams: [%q, %q]}}`, s.fine(), s.fine())
			s.available(2)
			s.get(20)
		}},
		{"no traffic", word{}, func(s *stage) {
			s.run(`pools: {app: {upstreams: [%q, %q]}}`, s.fine(), s.fine())
			s.available(2)
		}},
		{"hedges only", word{}, playHedges},
		{"clients that leave", word{}, playLeaving},
		{"clients whose requests are malformed", word{}, func(s *stage) {
			s.run(`pools: {app: {upstreams: [%q]}}`, s.fine())
			for _, text := range []string{"nonsense\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\x02\x00\r\n\r\n"} {
				c, err := net.Dial("tcp", s.g.addrs[0])
				if err != nil {
					s.t.Fatal(err)
				}
				io.WriteString(c, text)
				c.(*net.TCPConn).CloseWrite()
				io.Copy(io.Discard, c)
				c.Close()
			}
			s.get(3)
		}},
		{"requests that are too large", word{}, func(s *stage) {
			s.run(`pools: {app: {upstreams: [%q], limits: {max_body: 10B}}}`, s.fine())
			s.available(1)
			for range 3 {
				if res, err := http.Post(s.url, "text/plain", strings.NewReader(strings.Repeat("x", 100))); err == nil {
					res.Body.Close()
				}
			}
		}},
		{"the application's own 404 and 500", word{}, func(s *stage) {
			s.run(`pools: {app: {upstreams: [%q, %q]}}`, s.failing(404), s.failing(500))
			s.available(2)
			s.get(12)
		}},
		{"a scanner among others", word{}, func(s *stage) {
			s.run("routes: [{match: {path: /shop}, pool: app}]\npools: {app: {upstreams: [%q]}}", s.fine())
			s.send("GET", "/.env", 4)
			s.send("GET", "/shop", 6)
		}},
		{"one long report among many", word{}, func(s *stage) {
			var n atomic.Int32
			s.run(`pools: {app: {upstreams: [%q], retry: {hedge: {after: "off"}}}}`, s.serve(func(http.ResponseWriter, *http.Request) {
				if n.Add(1) == 1 {
					<-time.After(1100 * time.Millisecond)
				}
			}))
			s.get(30)
		}},
		{"a cold start", word{}, func(s *stage) {
			s.run(`pools: {app: {upstreams: [%q], slow_start: 1m}}`, s.fine())
			s.available(1)
			s.get(3)
		}},
		{"an upstream that is warming up", word{}, func(s *stage) {
			var ill atomic.Bool
			ill.Store(true)
			s.run(`pools: {app: {upstreams: [%q, %q], slow_start: 1m, health: {path: /, interval: 20ms, fast_interval: 20ms, rise: 1, fall: 1}}}`, s.fine(), s.serve(func(w http.ResponseWriter, _ *http.Request) {
				if ill.Load() {
					w.WriteHeader(500)
				}
			}))
			s.available(1)
			ill.Store(false)
			s.available(2)
		}},
	}
}

// playLeaving has clients leave as soon as an upstream has their requests.
func playLeaving(s *stage) {
	const clients = 5
	arrived := make(chan struct{})
	s.run(`pools: {app: {upstreams: [%q], health: {type: none}}}`, s.serve(func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-r.Context().Done()
	}))
	for range clients {
		ctx, leave := context.WithCancel(s.t.Context())
		r, err := http.NewRequestWithContext(ctx, "GET", s.url, nil)
		if err != nil {
			s.t.Fatal(err)
		}
		left := make(chan struct{})
		go func() {
			defer close(left)
			if res, err := http.DefaultClient.Do(r); err == nil {
				res.Body.Close()
			}
		}()
		<-arrived
		leave()
		<-left
	}
	s.until("the clients to be gone", func(a *admin.Status) bool { return a.Pools[0].Minute.Refused == clients && a.Pools[0].InFlight == 0 })
}

// playHedges has one of two upstreams late, so that the other one answers first. An
// earlier version counted this as hidden errors, although the pool had none.
func playHedges(s *stage) {
	let := make(chan struct{})
	late := s.serve(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-let:
		case <-r.Context().Done():
		}
	})
	s.t.Cleanup(func() { close(let) })
	s.run(`pools: {app: {policy: round_robin, upstreams: [%q, %q], retry: {hedge: {after: 5ms, budget: 100%%}}, outlier: {enabled: false}}}`, late, s.fine())
	s.available(2)
	s.get(20)
	all := s.status()
	p := all.Pools[0]
	if p.Totals.MadeFaster == 0 || p.Totals.MadeFaster != p.Minute.MadeFaster || p.Totals.Hidden != 0 || len(p.Counts.Absorbed) != 0 || len(all.Failures) != 0 {
		s.t.Errorf("%d requests were made faster (%d in the last minute), %d hidden %v, and %d failures listed", p.Totals.MadeFaster, p.Minute.MadeFaster, p.Totals.Hidden, p.Counts.Absorbed, len(all.Failures))
	}
	for _, u := range p.Upstreams {
		if u.Minute.Failed != 0 {
			s.t.Errorf("%s failed %d times", u.Address, u.Minute.Failed)
		}
	}
}

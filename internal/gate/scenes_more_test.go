package gate

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/situation"
)

// otherScenes are variants of the scenes in the other files.
func otherScenes() []scene {
	return []scene{
		{"the only one is dead, without checks", word{"error", situation.Refused, false, "The upstream refuses connections", "Clients saw 2 errors from it", "Start the application"}, func(s *stage) {
			s.run(`pools: {app: {upstreams: [%q], hold: {for: 50ms}, `+unchecked+`}}`, s.dead())
			s.get(2)
		}},
		{"the only one is too slow for its timeout", word{"error", situation.ResponseTimeout, false, "The upstream does not answer in time", "Clients saw 1 error from it.", "waits for"}, func(s *stage) {
			s.run(`pools: {app: {upstreams: [%q], timeouts: {response_header: 50ms}, retry: {attempts: 1, hedge: {after: "off"}}, `+unchecked+`}}`, slowBy(9e9)(s))
			s.get(1)
		}},
		{"it announces a drain", word{"notice", situation.Leaving, false, "The upstream is about to shut down", "1 of 2 upstreams in the pool can take requests.", "Nothing, if it is a deployment."}, func(s *stage) {
			leaves := s.serve(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Goodgate-Drain", "60s") })
			s.run(`pools: {app: {drain_header: true, upstreams: [%q, %q], `+unchecked+`}}`, leaves, s.fine())
			s.get(4)
		}},
		{"HTTP/1 to what speaks HTTP/2 only", word{"warning", situation.ClosesAll, false, "The upstream closes every connection without an answer", "it expects TLS or another protocol", "the pool's protocol"}, func(s *stage) {
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			var only http.Protocols
			only.SetUnencryptedHTTP2(true)
			server.Config.Protocols = &only
			server.Config.ErrorLog = discardLog()
			server.Start()
			s.t.Cleanup(server.Close)
			s.run(`pools: {app: {upstreams: [%q, %q], `+unchecked+`}}`, s.fine(), server.URL)
			s.get(8)
		}},
		{"HTTP/2 to what speaks HTTP/1 only", word{"error", situation.NotHTTP, false, "The upstream's answers are not HTTP", "another HTTP version", "the pool's protocol"}, func(s *stage) {
			s.run(`pools: {app: {upstreams: [%q], protocol: h2c, hold: {for: 50ms}, `+unchecked+`}}`, s.raw(func(c net.Conn, _ int) {
				fmt.Fprint(c, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
				c.Close()
			}))
			s.get(2)
		}},
		{"one pool is healthy and another is not", word{"error", situation.NoneAvailable, false, "No upstream is available", "The upstream refuses connections.", "Start the application"}, func(s *stage) {
			s.run("routes: [{match: {path: /sick}, pool: sick}, {pool: app}]\npools: {app: {upstreams: [%q]}, sick: {upstreams: [%q], hold: {for: 0s}, "+quick+"}}", s.fine(), s.dead())
			s.send("GET", "/", 3)
			s.send("GET", "/sick", 2)
			s.until("the sick pool to be told alone", func(a *admin.Status) bool {
				for _, t := range a.Troubles {
					if t.Pool != "sick" {
						s.t.Errorf("told of another pool: %+v", t)
					}
				}
				return len(a.Troubles) > 0
			})
		}},
		{"past errors", word{"warning", situation.AnswersError, true, "The upstream answered 502 itself", "It has been available again since ", "application's log"}, func(s *stage) {
			var ill atomic.Bool
			app := s.serve(func(w http.ResponseWriter, r *http.Request) {
				if ill.Load() && r.URL.Path == "/502" {
					w.WriteHeader(502)
				}
				if ill.Load() && r.URL.Path == "/check" {
					w.WriteHeader(500)
				}
			})
			s.run(`pools: {app: {policy: first, slow_start: 0s, upstreams: [%q, %q], breaker: {enabled: false}, health: {path: /check, interval: 20ms, fast_interval: 20ms, rise: 1, fall: 30}}}`, app, s.fine())
			s.available(2)
			ill.Store(true)
			s.send("POST", "/502", 2)
			s.available(1)
			ill.Store(false)
			s.available(2)
		}},
		{"all hang", word{"warning", situation.Hangs, false, "The upstream hangs", "answers nothing, not even the health check", "stack dump"}, func(s *stage) {
			var stopped atomic.Bool
			let := make(chan struct{})
			hangs := func() string {
				return s.raw(func(c net.Conn, _ int) {
					if stopped.Load() {
						<-let
						return
					}
					fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
				})
			}
			s.run(`pools: {app: {upstreams: [%q, %q], health: {interval: 20ms, fast_interval: 20ms, timeout: 300ms, rise: 1, fall: 1}}}`, hangs(), hangs())
			s.t.Cleanup(func() { close(let) })
			s.available(2)
			s.until("the checks to have passed", func(a *admin.Status) bool {
				return a.Pools[0].Upstreams[0].Check.Passed && a.Pools[0].Upstreams[1].Check.Passed
			})
			stopped.Store(true)
		}},
		{"a drained upstream with earlier failures", word{"notice", situation.Drained, false, "An operator has drained the upstream", "The upstream answered 503 itself before: ", "goodgate undrain"}, func(s *stage) {
			sick := s.failing(503)
			s.run(`pools: {app: {upstreams: [%q, %q], `+unchecked+`}}`, s.fine(), sick)
			s.get(6)
			s.order(sick, "drain")
		}},
	}
}

package gate

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/lab/dnstest"
	"github.com/goodgate/goodgate/internal/situation"
)

// quick is a health check that finds out fast.
const quick = `health: {interval: 20ms, fast_interval: 20ms, timeout: 1s, rise: 1, fall: 1}`

// availabilityScenes are about the availability of upstreams.
func availabilityScenes() []scene {
	return []scene{
		{"drained by an operator", word{"notice", situation.Drained, false, "An operator has drained the upstream", "1 of 2 upstreams in the pool can take requests.", "goodgate undrain 127.0.0.1:"}, func(s *stage) {
			one := s.fine()
			s.run(`pools: {app: {upstreams: [%q, %q]}}`, one, s.fine())
			s.available(2)
			s.order(one, "drain")
			s.get(4)
		}},
		{"switched off by an operator", word{"notice", situation.SwitchedOff, false, "An operator has switched the upstream off", "receives no requests and no health checks because an operator switched it off. This state began at ", "goodgate undrain 127.0.0.1:"}, func(s *stage) {
			one := s.fine()
			s.run(`pools: {app: {upstreams: [%q, %q]}}`, one, s.fine())
			s.available(2)
			s.order(one, "off")
		}},
		{"all switched off", word{"error", situation.AllTakenOut, false, "An operator took all upstreams out of service", "Every upstream of pool app (2) is drained or switched off. Requests wait for at most hold.for, then fail with 503.", "goodgate undrain ADDRESS"}, func(s *stage) {
			one, two := s.fine(), s.fine()
			s.run(`pools: {app: {upstreams: [%q, %q], hold: {for: 50ms}}}`, one, two)
			s.available(2)
			s.order(one, "off")
			s.order(two, "drain")
			s.get(1)
			s.until("what would have saved it", func(a *admin.Status) bool {
				return len(a.Failures) == 1 && strings.HasPrefix(a.Failures[0].SavedBy, "an upstream that no operator has taken out (goodgate undrain)")
			})
		}},
		{"the last one switched off while the other is dead", word{"error", situation.SomeTakenOut, false, "No upstream is available, and an operator took some out of service", "An operator took 1 of the 2 upstreams of pool app out of service, and the others fail.", "goodgate undrain ADDRESS"}, func(s *stage) {
			one := s.fine()
			s.run(`pools: {app: {upstreams: [%q, %q], `+quick+`}}`, one, s.dead())
			s.available(1)
			s.order(one, "off")
		}},
		{"requests had to wait for an operator's off", word{"notice", situation.HeldOver, true, "Requests waited until an upstream was available", "An operator changed 127.0.0.1:", "Nothing, if it was a restart."}, func(s *stage) {
			one := s.fine()
			s.run(`pools: {app: {upstreams: [%q]}}`, one)
			s.available(1)
			s.order(one, "off")
			s.together(1)
			s.until("the request to wait", func(a *admin.Status) bool { return a.Pools[0].Waiting == 1 })
			<-time.After(600 * time.Millisecond)
			s.order(one, "ready")
		}},
		{"a restart in progress", word{"error", situation.NoneAvailable, false, "No upstream is available", "The upstream refuses connections. 1 request waits now.", "Start the application, or correct the address."}, func(s *stage) {
			a := startApp(s.t, "127.0.0.1:0")
			s.run(`pools: {app: {upstreams: [%q], `+quick+`}}`, "http://"+a.Addr)
			s.available(1)
			a.Close()
			s.available(0)
			s.together(1)
			s.until("the request to wait", func(a *admin.Status) bool { return a.Pools[0].Waiting == 1 })
		}},
		{"no upstream returned in time", word{"error", situation.NoneAvailable, false, "No upstream is available", "3 of 3 requests in the last minute failed because of this", "Start the application"}, func(s *stage) {
			s.run(`pools: {app: {upstreams: [%q], hold: {for: 20ms}, `+quick+`}}`, s.dead())
			s.until("a check", func(a *admin.Status) bool {
				return len(a.Pools[0].Upstreams) > 0 && a.Pools[0].Upstreams[0].Health == "down"
			})
			s.get(3)
		}},
		{"a completed restart", word{"notice", situation.Refused, true, "The upstream refused connections", "failed this way, at ", "Nothing, if it was a restart."}, playRestart},
		{"one of two is dead", word{"warning", situation.Refused, false, "The upstream refuses connections", "Nothing listens on 127.0.0.1:", "Start the application, or correct the address."}, func(s *stage) {
			s.run(`pools: {app: {upstreams: [%q, %q], `+quick+`}}`, s.fine(), s.dead())
			s.available(1)
			s.get(4)
		}},
		{"one of two is dead, without checks", word{"warning", situation.Refused, false, "The upstream refuses connections", "No client saw an error from it.", "Start the application"}, func(s *stage) {
			s.run(`pools: {app: {policy: round_robin, upstreams: [%q, %q], health: {type: none}, breaker: {enabled: false}}}`, s.fine(), s.dead())
			s.get(6)
		}},
		{"a missing socket", word{"warning", situation.SocketMissing, false, "The upstream's socket does not exist", "There is no file unix:/nowhere/app.sock.", "correct the path"}, func(s *stage) {
			s.run(`pools: {app: {upstreams: [%q, "unix:/nowhere/app.sock"], `+quick+`}}`, s.fine())
		}},
		{"one address of a name is dead", word{"warning", situation.HalfDeadName, false, "1 of 2 addresses of app.test cannot be used", "The name app.test resolves to 2 addresses", "Remove the address from DNS"}, playHalfDead},
		{"it hangs", word{"warning", situation.Hangs, false, "The upstream hangs", "accepts connections and answers nothing", "stack dump"}, playHang},
		{"it comes and goes", word{"warning", situation.Flapping, false, "The upstream is flapping", "Its availability has changed ", "restarts in a loop"}, func(s *stage) {
			var ill atomic.Bool
			s.run(`pools: {app: {upstreams: [%q, %q], health: {path: /, interval: 20ms, fast_interval: 20ms, rise: 1, fall: 1}}}`, s.fine(), s.serve(func(w http.ResponseWriter, _ *http.Request) {
				if ill.Load() {
					w.WriteHeader(500)
				}
			}))
			for range 4 {
				s.available(2)
				ill.Store(true)
				s.available(1)
				ill.Store(false)
			}
			s.available(2)
		}},
		{"it leaves by itself", word{"notice", situation.Leaving, false, "The upstream is about to shut down", "asked goodgate to send no new requests", "Nothing, if it is a deployment."}, func(s *stage) {
			s.run(`pools: {app: {upstreams: [%q, %q], health: {path: /, interval: 20ms, fast_interval: 20ms, drain_status: 503}}}`, s.fine(), s.failing(503))
		}},
		{"not ready by its source", word{"notice", situation.FoundUnready, false, "The upstream's source or agent says that it is not ready", "the source that lists it", "goodgate discover"}, func(s *stage) {
			s.runListed("not_ready")
		}},
		{"terminating by its source", word{"notice", situation.FoundEnding, false, "The upstream's discovery source says that it is terminating", "Requests in flight finish.", "if it is a deployment"}, func(s *stage) {
			s.runListed("terminating")
		}},
		{"its check is answered with an error", word{"warning", situation.CheckStatus, false, "The upstream answers its health check with 404", "status 404 is not one of the expected", "health.path"}, func(s *stage) {
			s.run(`pools: {app: {upstreams: [%q, %q], health: {path: /healthz, interval: 20ms, fast_interval: 20ms, rise: 1, fall: 1}}}`, s.fine(), s.failing(404))
		}},
		{"its check is answered wrongly", word{"warning", situation.CheckWrong, false, "The upstream's answer to its health check is not as expected", "body does not contain the expected text", "health section"}, func(s *stage) {
			ok := s.serve(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "well") })
			s.run(`pools: {app: {upstreams: [%q, %q], health: {path: /, interval: 20ms, fast_interval: 20ms, rise: 1, fall: 1, expect: {body: well}}}}`, ok, s.fine())
		}},
		{"the check asks for the wrong thing", word{"warning", situation.CheckIsWrong, false, "All health checks fail, but the upstreams answer requests", "The health check has failed since ", "goodgate check --probe"}, playWrongCheck},
		{"not checked yet", word{"notice", situation.Starting, false, "The upstreams are being checked for the first time", "has finished yet", ""}, func(s *stage) {
			let := make(chan struct{})
			slow := s.serve(func(http.ResponseWriter, *http.Request) { <-let })
			s.t.Cleanup(func() { close(let) })
			s.run(`pools: {app: {upstreams: [%q], health: {path: /, timeout: 9s, interval: 10s, fast_interval: 10s}}}`, slow)
		}},
		{"one of two not checked yet", word{"notice", situation.NotChecked, false, "The upstream has not been checked yet", "receives no requests until its first health check", ""}, func(s *stage) {
			let := make(chan struct{})
			slow := s.serve(func(http.ResponseWriter, *http.Request) { <-let })
			s.t.Cleanup(func() { close(let) })
			s.run(`pools: {app: {upstreams: [%q, %q], health: {path: /, timeout: 9s, interval: 10s, fast_interval: 10s}}}`, slow, s.fine())
		}},
	}
}

// playRestart restarts one of two upstreams. An earlier version reported it in the
// present tense, with the advice to start it.
func playRestart(s *stage) {
	a := startApp(s.t, "127.0.0.1:0")
	s.run(`pools: {app: {policy: round_robin, upstreams: [%q, %q], health: {interval: 20s, fast_interval: 20ms, rise: 1, fall: 3}}}`, "http://"+a.Addr, s.fine())
	s.available(2)
	s.get(4)
	a.Close()
	s.until("a refused connection", func(all *admin.Status) bool { s.get(1); return all.Pools[0].Available == 1 })
	startApp(s.t, a.Addr)
	s.available(2)
	s.get(4)
}

// playHalfDead has a name with an address that answers and one that does not.
func playHalfDead(s *stage) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
	go server.Serve(l)
	s.t.Cleanup(func() { server.Close() })
	_, port, _ := net.SplitHostPort(l.Addr().String())
	dns := dnstest.Serve(s.t, addresses4([4]byte{127, 0, 0, 1}, [4]byte{127, 0, 0, 77}))
	s.run(`pools: {app: {upstreams: ["http://app.test:%s"], dns: {resolver: %q}, `+quick+`}}`, port, dns)
	s.available(1)
}

// playHang has an upstream hang while its kernel still accepts connections.
func playHang(s *stage) {
	var stopped atomic.Bool
	let := make(chan struct{})
	hangs := s.raw(func(c net.Conn, _ int) {
		if stopped.Load() {
			<-let
			return
		}
		fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	})
	s.t.Cleanup(func() { close(let) })
	s.run(`pools: {app: {upstreams: [%q, %q], `+quick+`}}`, s.fine(), hangs)
	s.available(2)
	s.until("its check to have passed", func(a *admin.Status) bool { return a.Pools[0].Upstreams[1].Check.Passed })
	stopped.Store(true)
}

// playWrongCheck has both upstreams fail their checks and answer requests.
func playWrongCheck(s *stage) {
	h := func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/wrong") {
			w.WriteHeader(404)
		}
	}
	s.run(`pools: {app: {upstreams: [%q, %q], health: {path: /wrong, interval: 20ms, fast_interval: 20ms}}}`, s.serve(h), s.serve(h))
	s.available(2)
	s.get(4)
}

// runListed starts a gate with a list of two upstreams. One of them has a lifecycle.
func (s *stage) runListed(lifecycle string) {
	s.t.Helper()
	list := filepath.Join(s.t.TempDir(), "list.yaml")
	text := fmt.Sprintf("- %s\n- {url: %q, lifecycle: %s, zone: b}\n", s.fine(), s.fine(), lifecycle)
	if err := os.WriteFile(list, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.run(`pools: {app: {upstreams: [{file: %q}]}}`, list)
	s.available(1)
	p := s.status().Pools[0]
	if u := p.Upstreams[1]; u.Lifecycle != lifecycle || u.Zone != "b" || u.Available {
		s.t.Errorf("got %+v", u)
	}
	if len(p.Sources) != 1 || p.Sources[0].Name != "file: "+list || p.Sources[0].Upstreams != 2 || p.Sources[0].Looked.IsZero() || p.Sources[0].Error != "" {
		s.t.Errorf("got sources %+v", p.Sources)
	}
}

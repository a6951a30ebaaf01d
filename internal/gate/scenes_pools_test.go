package gate

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/lab/certtest"
	"github.com/goodgate/goodgate/internal/lab/dnstest"
	"github.com/goodgate/goodgate/internal/situation"
)

func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }

// loadScenes are about load and rates.
func loadScenes() []scene {
	return []scene{
		{"one is slow", word{"warning", situation.Slow, false, "The upstream answers slowly", " took 1.0 s or longer", "waits for"}, func(s *stage) {
			s.run(`pools: {app: {upstreams: [%q, %q], retry: {hedge: {after: "off"}}, `+unchecked+`}}`, s.fine(), slowBy(1100*time.Millisecond)(s))
			s.together(8)
		}},
		{"all are slow, from the start", word{"notice", situation.AllSlow, false, "All upstreams answer slowly", "nothing to compare this with yet", "database"}, func(s *stage) {
			s.run(`pools: {app: {upstreams: [%q, %q], retry: {hedge: {after: "off"}}, `+unchecked+`}}`, slowBy(1100*time.Millisecond)(s), slowBy(1200*time.Millisecond)(s))
			s.together(8)
		}},
		{"overloaded", word{"error", situation.Overloaded, false, "The pool is overloaded", "Clients saw ", "Add upstreams"}, func(s *stage) {
			s.run(`pools: {app: {upstreams: [{url: %q, max_in_flight: 1}], health: {type: none}, queue: {max_requests: 1, max_wait: 20ms}}}`, slowBy(2*time.Second)(s))
			s.together(6)
		}},
		{"requests queue", word{"warning", situation.Queueing, false, "Requests queue", "the upstreams have 1 place in all.", "Add upstreams"}, func(s *stage) {
			s.run(`pools: {app: {upstreams: [{url: %q, max_in_flight: 1}], health: {type: none}, queue: {max_wait: 5s}}}`, slowBy(2*time.Second)(s))
			s.together(3)
		}},
		{"at the limit", word{"notice", situation.AtLimit, false, "The pool is at its limit", "1 of 1 place is taken.", "add upstreams"}, func(s *stage) {
			s.run(`pools: {app: {upstreams: [{url: %q, max_in_flight: 1}], health: {type: none}}}`, slowBy(2*time.Second)(s))
			s.together(1)
		}},
		{"the authorization service fails", word{"error", situation.AuthAway, false, "The authorization service does not answer", "answered 500", "Bring the service back"}, func(s *stage) {
			s.run("routes: [{pool: app, access: {forward: {pool: auth}}}]\npools: {app: {upstreams: [%q], "+unchecked+"}, auth: {upstreams: [%q], "+unchecked+"}}", s.fine(), s.failing(500))
			s.get(2)
		}},
		{"a rate limit", word{"notice", situation.RateLimited, false, "A rate limit refuses requests", "got 429", "raise the rate"}, func(s *stage) {
			s.run(`pools: {app: {upstreams: [%q], limits: {rates: [{requests: 1, per: 1m}]}}}`, s.fine())
			s.get(4)
		}},
		{"retries have stopped", word{"error", situation.AnswersError, false, "The upstream answers 503 itself", "Clients saw 6 errors from it.", "application's log"}, func(s *stage) {
			s.run(`pools: {app: {upstreams: [%q, %q], `+unchecked+`, retry: {budget: 0%%, budget_min: 0}}}`, s.fine(), s.failing(503))
			s.get(12)
		}},
	}
}

// poolScenes are about a pool as a whole.
func poolScenes() []scene {
	return []scene{
		{"all answer 503", word{"error", situation.FailAlike, false, "All upstreams fail in the same way", "the upstream answers 503 itself", "Check what they share"}, playAlike},
		{"an unknown name", word{"error", situation.LookupUnknown, false, "The name of the upstreams does not resolve", "app.test", "Check the name"}, func(s *stage) {
			s.run(`pools: {app: {upstreams: ["http://app.test:80"], dns: {resolver: %q}}}`, dnstest.Serve(s.t, noSuchName))
		}},
		{"a name that is no longer known", word{"warning", situation.LookupUnknown, false, "The name of the upstreams does not resolve", "goodgate uses the upstreams found before (1).", "Check the name"}, func(s *stage) {
			var gone atomic.Bool
			here := addresses4([4]byte{127, 0, 0, 1})
			dns := dnstest.Serve(s.t, func(q dnsmessage.Question) (dnsmessage.RCode, []dnsmessage.ResourceBody) {
				if gone.Load() {
					return noSuchName(q)
				}
				return here(q)
			})
			s.run(`pools: {app: {upstreams: ["http://app.test:80"], health: {type: none}, dns: {resolver: %q, min_ttl: 100ms, max_ttl: 100ms}}}`, dns)
			s.available(1)
			gone.Store(true)
		}},
		{"a resolver that is silent", word{"error", situation.LookupSilent, false, "The resolver does not answer", "app.test", "/etc/resolv.conf"}, func(s *stage) {
			silent, err := net.ListenPacket("udp", "127.0.0.1:0")
			if err != nil {
				s.t.Fatal(err)
			}
			s.t.Cleanup(func() { silent.Close() })
			s.run(`pools: {app: {upstreams: ["http://app.test:80"], dns: {resolver: %q, timeout: 200ms}}}`, silent.LocalAddr())
		}},
		{"an empty list", word{"error", situation.PoolEmpty, false, "The pool has no upstreams", "finds no upstream for pool app", "Add upstreams"}, func(s *stage) {
			file := s.file("[]\n")
			s.run(`pools: {app: {upstreams: [{file: %q}], hold: {for: 0s}}}`, file)
		}},
		{"a missing list", word{"error", situation.LookupFailed, false, "The list of upstreams cannot be read", "no such file", "pools.app.upstreams"}, func(s *stage) {
			s.run(`pools: {app: {upstreams: [{file: %q}], hold: {for: 0s}}}`, filepath.Join(s.t.TempDir(), "none.yaml"))
		}},
		{"the fallback answers", word{"warning", situation.FallbackInUse, false, "The fallback answers requests", "No client saw an error.", "Bring the pool's own upstreams back."}, func(s *stage) {
			s.run(`pools: {app: {upstreams: [%q], health: {type: none}, hold: {for: 0s}, fallback: {respond: {status: 200, body: later}}}}`, s.dead())
			s.get(3)
		}},
		{"older responses answer", word{"warning", situation.StaleInUse, false, "goodgate answers from older responses", "stale-if-error", "Bring the pool's own upstreams back."}, playStale},
		{"a loop", word{"error", situation.Loop, false, "Requests come back to goodgate", "arrived here a second time", "Correct the upstream that leads back"}, func(s *stage) {
			var back httputil.ReverseProxy
			s.run(`pools: {app: {upstreams: [%q], `+unchecked+`}}`, s.serve(back.ServeHTTP))
			gate, _ := url.Parse(s.url)
			back.Rewrite = func(r *httputil.ProxyRequest) { r.SetURL(gate) }
			s.get(2)
		}},
		{"WebSockets to HTTP/2 only", word{"error", situation.UpgradeFails, false, "WebSockets cannot reach the upstreams", "by HTTP/2 only", "protocol: auto"}, func(s *stage) {
			s.run(`pools: {app: {upstreams: [%q], protocol: h2c, health: {type: none}}}`, s.dead())
			r, _ := http.NewRequestWithContext(s.t.Context(), "GET", s.url, nil)
			r.Header.Set("Connection", "Upgrade")
			r.Header.Set("Upgrade", "websocket")
			if res, err := http.DefaultClient.Do(r); err == nil {
				res.Body.Close()
			}
		}},
	}
}

// ownScenes are about goodgate itself.
func ownScenes() []scene {
	expired := func(end time.Duration) func(*stage) {
		return func(s *stage) {
			dir := s.t.TempDir()
			a := certtest.NewAuthority(s.t, "test")
			cert, key := a.Files(dir, "own", a.IssueUntil(time.Now().Add(end), "localhost"))
			s.runWith(fmt.Sprintf("listeners: [\"127.0.0.1:0\", {address: \"127.0.0.1:0\", tls: {certificates: [{cert: %q, key: %q}]}}]\npools: {app: {upstreams: [%q]}}", cert, key, s.fine()), Options{})
		}
	}
	return []scene{
		{"an expired certificate", word{"error", situation.OwnCertExpired, false, "A certificate of a listener has expired", "own.pem expired at ", "Renew"}, expired(-3 * time.Hour)},
		{"a certificate that expires soon", word{"warning", situation.OwnCertExpires, false, "A certificate of a listener expires soon", "That is in 2 days.", "Renew"}, expired(60 * time.Hour)},
		{"a configuration that fails", word{"warning", situation.ConfigFailed, false, "The configuration could not be reloaded", "goodgate.yaml:7:3: unknown key.", "goodgate check"}, func(s *stage) {
			s.runWith(fmt.Sprintf("listeners: [\"127.0.0.1:0\"]\npools: {app: {upstreams: [%q]}}", s.fine()), Options{Load: broken})
			if _, err := s.g.gate.Reread("a test"); err == nil {
				s.t.Error("it was taken")
			}
		}},
		{"most requests match no route", word{"warning", situation.NoRoute, false, "Most requests match no route", "4 of 5 requests in the last minute", "hosts and paths"}, func(s *stage) {
			s.run("routes: [{match: {path: /shop}, pool: app}]\npools: {app: {upstreams: [%q]}}", s.fine())
			s.send("GET", "/", 4)
			s.send("GET", "/shop", 1)
		}},
		{"shutting down", word{"notice", situation.ShuttingDown, false, "goodgate is shutting down", "and then exits.", ""}, func(s *stage) {
			s.run(`pools: {app: {upstreams: [%q]}}`, s.fine())
			s.available(1)
			s.g.gate.draining.Store(true)
		}},
	}
}

func (s *stage) file(text string) string {
	name := filepath.Join(s.t.TempDir(), "list.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return name
}

func noSuchName(dnsmessage.Question) (dnsmessage.RCode, []dnsmessage.ResourceBody) {
	return dnsmessage.RCodeNameError, nil
}

func playAlike(s *stage) {
	s.run(`pools: {app: {upstreams: [%q, %q], `+unchecked+`}}`, s.failing(503), s.failing(503))
	s.send("POST", "/", 4)
}

func playStale(s *stage) {
	var ill atomic.Bool
	app := s.serve(func(w http.ResponseWriter, _ *http.Request) {
		if ill.Load() {
			w.WriteHeader(503)
			return
		}
		w.Header().Set("Cache-Control", "public, max-age=1, stale-if-error=600")
		fmt.Fprint(w, "old")
	})
	s.run(`pools: {app: {upstreams: [%q], stale: {max_size: 1MiB, if_error: 10m}, `+unchecked+`}}`, app)
	s.get(1)
	ill.Store(true)
	s.get(3)
	s.until("a stale answer", func(a *admin.Status) bool { return a.Pools[0].Totals.Hidden > 0 })
}

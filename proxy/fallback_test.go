package proxy_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/proxy"
)

// spare makes a second pool on the network of the world that bubble makes later.
func spare(t *testing.T, w **world, addrs ...string) *proxy.Pool {
	t.Helper()
	var o proxy.PoolOptions
	o.Retry = retries(3)
	o.Retry.Statuses = []int{502, 503, 504}
	o.Hold = held
	o.Queue = proxy.Queue{MaxRequests: 10, MaxWait: time.Second}
	o.Commit.Buffer = 64 << 10
	o.Dial = later(w)
	p, err := proxy.NewPool(balancer.Options{Name: "spare", Policy: "first"}, o)
	if err != nil {
		t.Fatal(err)
	}
	s := specs(addrs...)
	for i := range s {
		s[i].MaxInFlight = 1
	}
	p.Update(s)
	return p
}

// fallbackCase is a world whose first pool is app:80 and whose second is
// spare:80, or a fixed response.
type fallbackCase struct {
	setup
	fixed *proxy.Respond
	on    reason.Failures
}

func (c fallbackCase) run(t *testing.T, f func(w *world)) {
	t.Helper()
	var w *world
	c.route.Fallback = &proxy.Fallback{Respond: c.fixed, On: c.on}
	synctestBubble(t, func(t *testing.T) {
		if c.fixed == nil {
			p := spare(t, &w, "spare:80", "spare2:80")
			c.route.Fallback.Pool = p
			t.Cleanup(func() {
				p.Update(nil)
				check(t, "leases left in the fallback pool", p.InFlight(), 0)
			})
		}
		w = start(t, c.setup)
		w.inBubble = true
		f(w)
	})
}

func fallbackSetup() setup {
	s := setup{upstreams: specs("app:80")}
	s.pool.Retry = retries(2)
	s.pool.Retry.Statuses = []int{502, 503, 504}
	s.pool.Retry.MaxBackoff = 20 * time.Millisecond
	s.pool.Commit.Buffer = 64 << 10
	return s
}

// fails is a failure of app:80, and the outcome of a request that nothing else answers.
var fails = []struct {
	name   string
	app    func(w *world)
	kind   reason.Failures
	reason reason.Reason
	sent   bool // it may have been executed
}{
	{"refused", func(*world) {}, reason.Unconnected, reason.ConnectRefused, false},
	{"nobody", func(w *world) { w.pool.Update(nil) }, reason.Unavailable, reason.NoUpstream, false},
	{"closed", func(w *world) { w.script("app:80", func(c *wire) { c.request() }) }, reason.Unanswered, reason.ClosedBeforeResponse, true},
	{"cut", func(w *world) {
		w.script("app:80", func(c *wire) { c.request(); c.say("HTTP/1.1 200 OK\nContent-Length: 9\n\nhalf") })
	}, reason.Unanswered, reason.ResponseTruncated, true},
	{"503", func(w *world) {
		w.app("app:80", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503); io.WriteString(w, "app") })
	}, reason.BadStatus, reason.UpstreamStatus, true},
}

// Every kind of failure that ends in a gateway error goes to the fallback pool, except
// for a request that may have been executed and must not be executed twice.
func TestFallbackPool(t *testing.T) {
	t.Parallel()
	for _, tc := range fails {
		for _, method := range []string{"GET", "POST"} {
			t.Run(tc.name+"/"+method, func(t *testing.T) {
				fallbackCase{setup: fallbackSetup()}.run(t, func(w *world) {
					tc.app(w)
					w.app("spare2:80", func(w http.ResponseWriter, r *http.Request) { // spare:80 refuses
						b, _ := io.ReadAll(r.Body)
						io.WriteString(w, "spare "+string(b))
					})
					got := w.send(method, "/", strings.NewReader("x"))
					rec := w.record()
					check(t, "pool", rec.Pool, "app")
					if tc.sent && method == "POST" {
						check(t, "reason", rec.Reason, tc.reason)
						check(t, "absorbed", rec.Absorbed, reason.ByNothing)
						check(t, "asked", rec.Fallback, "")
						return
					}
					check(t, "status", got.status, 200)
					check(t, "body", got.body, "spare x")
					check(t, "reason", rec.Reason, reason.None)
					check(t, "absorbed", rec.Absorbed, reason.ByFallback)
					check(t, "hidden", rec.Hidden, tc.reason)
					check(t, "asked", rec.Fallback, "spare")
					last := rec.Attempts[len(rec.Attempts)-1]
					check(t, "answered by", last.Pool+" "+last.Upstream, "spare spare2:80")
					if first := rec.Attempts[0]; tc.reason != reason.NoUpstream {
						check(t, "failed first", first.Pool+" "+first.Upstream, " app:80")
					}
				})
			})
		}
	}
}

// A request that has ended the connections of two upstreams does not reach the fallback
// pool either.
func TestFallbackPoolGetsNoDeadlyRequests(t *testing.T) {
	t.Parallel()
	c := fallbackCase{setup: fallbackSetup()}
	c.upstreams = specs("app:80", "app2:80")
	c.run(t, func(w *world) {
		for _, addr := range []string{"app:80", "app2:80"} {
			w.script(addr, func(c *wire) { c.request() })
		}
		check(t, "status", w.get().status, 502)
		check(t, "asked", w.record().Fallback, "")
	})
}

// A fixed response executes nothing, so every request may get it.
func TestFallbackResponse(t *testing.T) {
	t.Parallel()
	for _, tc := range fails {
		for _, method := range []string{"GET", "HEAD", "POST"} {
			t.Run(tc.name+"/"+method, func(t *testing.T) {
				c := fallbackCase{setup: fallbackSetup(), fixed: &proxy.Respond{Status: 200, Body: "fixed", Headers: map[string]string{"X-Fixed": "1"}}}
				c.route.ResponseHeaders.Set = map[string]string{"X-Route": "1"}
				c.run(t, func(w *world) {
					tc.app(w)
					got := w.send(method, "/", nil)
					check(t, "status", got.status, 200)
					body := "fixed"
					if method == "HEAD" {
						body = ""
					}
					check(t, "body", got.body, body)
					rec := w.record()
					if method == "HEAD" && tc.reason == reason.ResponseTruncated {
						return // its answer has no body to break off
					}
					check(t, "headers", got.header.Get("X-Fixed")+got.header.Get("X-Route"), "11")
					check(t, "absorbed", rec.Absorbed, reason.ByFallback)
					check(t, "hidden", rec.Hidden, tc.reason)
				})
			})
		}
	}
}

// A fixed 503, for example a page that asks for patience, is still a gateway error, with
// the failure's own reason.
func TestFallbackResponseThatIsAnError(t *testing.T) {
	t.Parallel()
	c := fallbackCase{setup: fallbackSetup(), fixed: &proxy.Respond{Status: 503, Body: "patience"}}
	c.run(t, func(w *world) {
		w.app("app:80", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) })
		got := w.get()
		check(t, "status", got.status, 503)
		check(t, "body", got.body, "patience")
		check(t, "Proxy-Status", got.header.Get("Proxy-Status"), `goodgate; received-status=502; details="upstream_status"`)
		rec := w.record()
		check(t, "reason", rec.Reason, reason.UpstreamStatus)
		check(t, "upstream", rec.Upstream, "app:80")
		check(t, "absorbed", rec.Absorbed, reason.ByNothing)
		check(t, "hidden", rec.Hidden, reason.None)
	})
}

// A fallback answers only the failures that its setting names, and never replaces a good
// answer.
func TestFallbackOn(t *testing.T) {
	t.Parallel()
	for _, tc := range fails {
		for _, on := range []reason.Failures{reason.Unavailable, reason.Unconnected, reason.Unanswered, reason.BadStatus} {
			c := fallbackCase{setup: fallbackSetup(), fixed: &proxy.Respond{Status: 299}, on: on}
			c.run(t, func(w *world) {
				tc.app(w)
				check(t, tc.name, w.get().status == 299, on == tc.kind)
			})
		}
	}
	for _, status := range []int{200, 404, 429, 500} {
		fallbackCase{setup: fallbackSetup(), fixed: &proxy.Respond{Status: 299}}.run(t, func(w *world) {
			w.app("app:80", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
			check(t, "status", w.get().status, status)
		})
	}
}

// When the fallback pool cannot answer either, the client gets the same as without a
// fallback.
func TestFallbackPoolFails(t *testing.T) {
	t.Parallel()
	for _, tc := range fails[:2] {
		fallbackCase{setup: fallbackSetup()}.run(t, func(w *world) {
			tc.app(w)
			w.get()
			rec := w.record()
			check(t, tc.name+": reason", rec.Reason, tc.reason)
			check(t, tc.name+": asked", rec.Fallback, "spare")
			check(t, tc.name+": absorbed", rec.Absorbed, reason.ByNothing)
			if rec.Held > 1100*time.Millisecond { // with the pause between the app's own two attempts
				t.Errorf("waited %v, want 1s at most for the fallback pool", rec.Held)
			}
		})
	}
	fallbackCase{setup: fallbackSetup()}.run(t, func(w *world) {
		w.app("app:80", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503); io.WriteString(w, "the app's own") })
		got := w.get()
		check(t, "the app's own answer", got.body, "the app's own")
		check(t, "upstream", w.record().Upstream, "app:80")
	})
	fallbackCase{setup: fallbackSetup()}.run(t, func(w *world) {
		w.app("spare:80", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(503)
			io.WriteString(w, "the spare's page")
		})
		got := w.get()
		check(t, "the fallback's answer, whatever its status", got.body, "the spare's page")
		rec := w.record()
		check(t, "reason", rec.Reason, reason.UpstreamStatus)
		check(t, "absorbed", rec.Absorbed, reason.ByNothing)
	})
}

// A request that goes to the fallback pool first gives its place in its own pool's queue
// to the next, and takes one in the fallback's queue.
func TestFallbackAndPlaces(t *testing.T) {
	t.Parallel()
	for _, up := range []bool{true, false} {
		c := fallbackCase{setup: fallbackSetup()}
		c.upstreams[0].MaxInFlight = 1
		c.pool.Queue = proxy.Queue{MaxRequests: 10, MaxWait: time.Second}
		c.run(t, func(w *world) {
			w.app("app:80", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) })
			if up {
				w.app("spare:80", ok)
			}
			for range 5 {
				w.get()
				rec := w.record()
				check(t, "queued", rec.Queued, 0)
				check(t, "first attempt", rec.Attempts[0].Status, 503)
				check(t, "absorbed", rec.Absorbed == reason.ByFallback, up)
			}
		})
	}
}

// A request waits for its own pool first.
func TestFallbackAfterHold(t *testing.T) {
	t.Parallel()
	c := fallbackCase{setup: fallbackSetup(), fixed: &proxy.Respond{Status: 200}}
	c.upstreams = nil
	c.pool.Hold = held
	c.run(t, func(w *world) {
		check(t, "status", w.get().status, 200)
		rec := w.record()
		check(t, "held", rec.Held, held.For)
		check(t, "absorbed", rec.Absorbed, reason.ByFallback)
		check(t, "hidden", rec.Hidden, reason.HoldExpired)
	})
}

// The deadline of a request also ends its delivery to a fallback pool. A fixed response
// is still given.
func TestFallbackAfterTheDeadline(t *testing.T) {
	t.Parallel()
	for _, fixed := range []*proxy.Respond{nil, {Status: 200, Body: "fixed"}} {
		c := fallbackCase{setup: fallbackSetup(), fixed: fixed}
		c.route.Timeout = 2 * time.Second
		c.run(t, func(w *world) {
			w.script("app:80", waitsForClose)
			w.app("spare:80", ok)
			got := w.get()
			rec := w.record()
			check(t, "duration", rec.Duration, 2*time.Second)
			if fixed == nil {
				check(t, "status", got.status, 504)
				check(t, "asked", rec.Fallback, "")
				return
			}
			check(t, "body", got.body, "fixed")
			check(t, "hidden", rec.Hidden, reason.ResponseTimeout)
		})
	}
}

// A client that leaves while the fallback pool works does not cause a gateway error.
func TestFallbackClientLeaves(t *testing.T) {
	t.Parallel()
	fallbackCase{setup: fallbackSetup()}.run(t, func(w *world) {
		w.script("spare:80", waitsForClose)
		leaves(w)
		check(t, "reason", w.record().Reason, reason.ClientGone)
	})
}

// A fallback can be set to answer every gateway error that a pool can cause.
func TestEveryGatewayErrorHasAKind(t *testing.T) {
	t.Parallel()
	for _, r := range reason.All() {
		if r == reason.ShuttingDown {
			continue // no pool causes it
		}
		check(t, r.String(), r.Failure() != 0, r.GatewayError())
	}
}

func TestUselessFallback(t *testing.T) {
	t.Parallel()
	pool, err := proxy.NewPool(balancer.Options{Name: "app"}, proxy.PoolOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for name, rt := range map[string]proxy.Route{
		"an empty one": {Pool: pool, Fallback: &proxy.Fallback{}},
		"two things":   {Pool: pool, Fallback: &proxy.Fallback{Pool: new(proxy.Pool), Respond: &proxy.Respond{}}},
		"itself":       {Pool: pool, Fallback: &proxy.Fallback{Pool: pool}},
		"for nothing":  {Respond: &proxy.Respond{}, Fallback: &proxy.Fallback{Respond: &proxy.Respond{}}},
	} {
		if _, err := proxy.New(proxy.Options{Routes: []proxy.Route{rt}}); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}

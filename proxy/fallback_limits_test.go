package proxy_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/proxy"
)

// limitedSpare is a world whose pool app:80 refuses connections, and whose fallback
// spare:80 has limits. A route sends requests for /spare straight to the fallback pool.
func limitedSpare(t *testing.T, change func(o *proxy.PoolOptions), f func(w *world)) {
	t.Helper()
	var w *world
	synctestBubble(t, func(t *testing.T) {
		o := proxy.PoolOptions{Dial: later(&w), Retry: retries(2)}
		change(&o)
		p, err := proxy.NewPool(balancer.Options{Name: "spare", Policy: "first"}, o)
		if err != nil {
			t.Fatal(err)
		}
		p.Update(specs("spare:80", "spare2:80"))
		t.Cleanup(func() { p.Update(nil) })
		s := fallbackSetup()
		s.route.Fallback = &proxy.Fallback{Pool: p}
		s.proxy.Routes = []proxy.Route{{Match: proxy.Match{Path: "/spare"}, Pool: p}}
		w = start(t, s)
		w.inBubble = true
		f(w)
	})
}

// unsized hides a body's length.
func unsized(s string) io.Reader { return io.MultiReader(strings.NewReader(s)) }

// The limits of a fallback pool apply however a request reaches it. A request that they
// refuse gets the same answer as without the fallback, and the log says why.
func TestFallbackPoolLimits(t *testing.T) {
	t.Parallel()
	rate := func() *proxy.Rate { return proxy.NewRate(proxy.Rate{Name: "spare", PerSecond: 1. / 3600, Burst: 1}) }
	for name, tc := range map[string]struct {
		limits func() *proxy.Limits
		body   func() io.Reader // of the refused request
		filled bool             // by an earlier request
		direct int              // status on the route to the pool
		why    string
	}{
		"max_body": {func() *proxy.Limits { return &proxy.Limits{MaxBody: 10} },
			func() io.Reader { return strings.NewReader("0123456789a") }, false, 413, "the body has 11 bytes, limits.max_body is 10"},
		"max_body of unknown length": {func() *proxy.Limits { return &proxy.Limits{MaxBody: 10} },
			func() io.Reader { return unsized("0123456789a") }, false, 413, "the body has more than 10 bytes (limits.max_body)"},
		"rates": {func() *proxy.Limits { return &proxy.Limits{Rates: []*proxy.Rate{rate()}} },
			func() io.Reader { return nil }, true, 429, `limits.rates: spare lets in "spare";q=1;w=3600`},
	} {
		t.Run(name, func(t *testing.T) {
			for _, path := range []string{"/", "/spare"} {
				limitedSpare(t, func(o *proxy.PoolOptions) { o.Limits = tc.limits() }, func(w *world) {
					w.app("spare:80", func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
					got := w.send("PUT", path, strings.NewReader("fits"))
					check(t, "let in", got.body, "fits")
					told := got.header.Get("Ratelimit") != ""
					check(t, "is told of the rate", told, name == "rates")
					if !tc.filled {
						time.Sleep(time.Hour)
					}
					got = w.send("PUT", path, tc.body())
					rec := w.record()
					if path == "/spare" {
						check(t, "by the route", got.status, tc.direct)
						return
					}
					check(t, "by fallback", got.status, 502)
					check(t, "reason", rec.Reason, reason.ConnectRefused)
					check(t, "is told of the rate", got.header.Get("Ratelimit"), "")
					check(t, "Retry-After", got.header.Get("Retry-After"), "")
					if want := "a fallback that lets it in: spare: "; !strings.Contains(rec.SavedBy, want) || !strings.Contains(rec.SavedBy, tc.why) {
						t.Errorf("saved by: got %q, want it to have %q and %q", rec.SavedBy, want, tc.why)
					}
				})
			}
		})
	}
}

// Requests by fallback count as in flight in the pool.
func TestFallbackPoolMaxRequests(t *testing.T) {
	t.Parallel()
	limitedSpare(t, func(o *proxy.PoolOptions) { o.Limits = &proxy.Limits{Requests: 2} }, func(w *world) {
		w.app("spare:80", func(http.ResponseWriter, *http.Request) { time.Sleep(time.Second) })
		for range 2 { // places are given back
			var mu sync.Mutex
			got := map[int]int{}
			var wg sync.WaitGroup
			for range 5 {
				wg.Go(func() {
					a := w.get()
					mu.Lock()
					defer mu.Unlock()
					got[a.status]++
				})
			}
			wg.Wait()
			check(t, "answers", fmt.Sprint(got), "map[200:2 502:3]")
			synctest.Wait()
		}
	})
}

// A body that the route accepts and the fallback pool refuses is too large for that pool
// only.
func TestFallbackPoolKeepsTheRoutesMaxBody(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ length, want int }{{5, 200}, {15, 502}, {25, 413}} {
		limitedSpare(t, func(o *proxy.PoolOptions) { o.Limits = &proxy.Limits{MaxBody: 10} }, func(w *world) {
			l := proxy.Listener{Limits: &proxy.Limits{MaxBody: 20}}
			w.listen("limited:80", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.proxy.Serve(rw, r, l) }))
			w.app("app:80", func(w http.ResponseWriter, r *http.Request) { // reads it all, and cannot answer
				io.Copy(io.Discard, r.Body)
				w.WriteHeader(502)
			})
			w.app("spare:80", func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
			w.client.Transport.(*http.Transport).DialContext = w.dialer("limited:80")
			got := w.send("PUT", "/", unsized(strings.Repeat("x", tc.length)))
			check(t, fmt.Sprint(tc.length, " bytes"), got.status, tc.want)
		})
	}
}

// A request by fallback pays into the pool's budget for hedges like any other.
func TestFallbackPoolHedges(t *testing.T) {
	t.Parallel()
	limitedSpare(t, func(o *proxy.PoolOptions) {
		o.Retry.Hedge = proxy.Hedge{After: 10 * time.Millisecond, Budget: 0.5}
	}, func(w *world) {
		w.app("spare:80", func(http.ResponseWriter, *http.Request) { time.Sleep(time.Second) })
		w.app("spare2:80", ok)
		hedged := 0
		for range 4 {
			check(t, "status", w.get().status, 200)
			if rec := w.record(); rec.Attempts[len(rec.Attempts)-1].Upstream == "spare2:80" {
				hedged++
			}
		}
		if hedged == 0 {
			t.Error("no request was hedged: nobody has paid for it")
		}
	})
}

// However a request ends, its limits and its queue get its place back: each of these
// admits one at a time.
func TestPlacesAreGivenBack(t *testing.T) {
	t.Parallel()
	one := func() *proxy.Limits { return &proxy.Limits{Requests: 1, MaxBody: 100} }
	for name, tc := range map[string]struct {
		app, spare func(c *wire) // nil = refuses connections
		ask        func(w *world)
	}{
		"answered":              {answers("HTTP/1.1 200 OK\nContent-Length: 2\n\nok"), nil, func(w *world) { w.get() }},
		"cut off":               {answers("HTTP/1.1 200 OK\nContent-Length: 90000\n\nok"), nil, func(w *world) { w.get() }},
		"failed":                {nil, nil, func(w *world) { w.get() }},
		"by fallback":           {nil, answers("HTTP/1.1 200 OK\nContent-Length: 2\n\nok"), func(w *world) { w.get() }},
		"fallback cut off":      {nil, answers("HTTP/1.1 200 OK\nContent-Length: 90000\n\nok"), func(w *world) { w.get() }},
		"client leaves":         {waitsForClose, nil, func(w *world) { leaves(w) }},
		"client leaves there":   {nil, waitsForClose, func(w *world) { leaves(w) }},
		"too large":             {waitsForClose, nil, func(w *world) { w.send("PUT", "/", strings.NewReader(strings.Repeat("x", 101))) }},
		"found to be too large": {waitsForClose, nil, func(w *world) { w.send("PUT", "/", unsized(strings.Repeat("x", 101))) }},
		"half a body": {waitsForClose, nil, func(w *world) {
			c := w.dial()
			c.say("PUT / HTTP/1.1\nHost: x\nContent-Length: 90\n\nx")
			time.Sleep(time.Second)
			c.Close()
		}},
		"tunnel": {answers("HTTP/1.1 101 Switching Protocols\nConnection: Upgrade\nUpgrade: echo\n\n"), nil, func(w *world) {
			c := w.dial()
			c.say("GET / HTTP/1.1\nHost: x\nConnection: Upgrade\nUpgrade: echo\n\n")
			c.response(t, nil)
			c.Close()
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var w *world
			synctestBubble(t, func(t *testing.T) {
				p, err := proxy.NewPool(balancer.Options{Name: "spare"}, proxy.PoolOptions{
					Dial: later(&w), Limits: one(), Queue: proxy.Queue{MaxRequests: 1, MaxWait: 10 * time.Millisecond}})
				if err != nil {
					t.Fatal(err)
				}
				p.Update([]balancer.Spec{{Addr: "spare:80", MaxInFlight: 1}})
				t.Cleanup(func() { p.Update(nil) })
				s := fallbackSetup()
				s.upstreams[0].MaxInFlight = 1
				s.pool.Limits, s.pool.Queue = one(), proxy.Queue{MaxRequests: 1, MaxWait: 10 * time.Millisecond}
				s.proxy.Listener.Limits, s.route.Limits = one(), one()
				s.route.Fallback = &proxy.Fallback{Pool: p}
				w = start(t, s)
				w.inBubble = true
				if tc.app != nil {
					w.script("app:80", tc.app)
				}
				if tc.spare != nil {
					w.script("spare:80", tc.spare)
				}
				for range 3 {
					tc.ask(w)
					rec := w.record()
					if rec.Reason == reason.Overloaded || strings.Contains(rec.SavedBy, "max_requests") {
						t.Errorf("got %v, saved by %q: a place was not given back", rec.Reason, rec.SavedBy)
					}
				}
			})
		})
	}
}

// answers is an upstream that gives the same answer to every request.
func answers(text string) func(c *wire) {
	return func(c *wire) {
		if c.header() != nil {
			c.say(text)
		}
	}
}

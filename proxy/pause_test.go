package proxy_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/proxy"
	"github.com/goodgate/goodgate/reason"
)

var paused = balancer.Pause{Max: 10 * time.Second, WaitLimits: balancer.WaitLimits{Requests: 3, Body: 100}}

// TestPauseHoldsNewRequests: requests in flight end. New ones wait, and continue with
// their bodies when the pause ends.
func TestPauseHoldsNewRequests(t *testing.T) {
	for _, front := range []string{"net/http", "inbound", "inbound-httputil"} {
		s := setup{upstreams: specs("app:80"), front: front}
		s.pool.Retry = retries(2)
		bubble(t, s, func(w *world) {
			var asked atomic.Int32
			w.app("app:80", func(rw http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				body, _ := io.ReadAll(r.Body)
				time.Sleep(time.Second)
				rw.Write(body)
			})
			var wg sync.WaitGroup
			ask := func(body string) {
				wg.Go(func() {
					got := w.send("POST", "/", strings.NewReader(body))
					if got.status != 200 || got.body != body {
						t.Errorf("%s: %d %q", body, got.status, got.body)
					}
				})
			}
			ask("under way")
			synctest.Wait()
			w.pool.Pause(paused)
			check(t, "in flight", w.pool.InFlight(), 1)
			ask("new")
			ask(strings.Repeat("large", 20000))
			time.Sleep(5 * time.Second)
			check(t, "in flight", w.pool.InFlight(), 0)
			check(t, "asked", asked.Load(), 1)
			check(t, "on standby", w.pool.OnStandby(), 2)
			check(t, "waiting for an upstream", w.pool.Waiting(), 0)
			w.pool.Resume()
			wg.Wait()
			rec := w.record()
			check(t, "paused", rec.Paused, 5*time.Second)
			check(t, "held", rec.Held, 0)
			check(t, "on standby", w.pool.OnStandby(), 0)
		})
	}
}

// TestPauseIsBounded: the wait of each request, the number of waiting requests and their
// memory are bounded. A refusal is not a gateway error, and tells the client when to try
// again.
func TestPauseIsBounded(t *testing.T) {
	s := setup{upstreams: specs("app:80")}
	s.pool.Retry = retries(2)
	s.route.Fallback = &proxy.Fallback{Respond: &proxy.Respond{Status: 200}}
	bubble(t, s, func(w *world) {
		w.app("app:80", ok)
		o := paused
		o.Until = time.Now().Add(time.Minute)
		w.pool.Pause(o)
		expect := func(what string, got answer, retryAfter string) {
			t.Helper()
			rec := w.record()
			check(t, what+": status", got.status, 503)
			check(t, what+": Retry-After", got.header.Get("Retry-After"), retryAfter)
			check(t, what+": reason", rec.Reason, reason.Paused)
			check(t, what+": escaped", rec.Escaped(), false)
			check(t, what+": attempts", len(rec.Attempts), 0)
		}
		expect("after max", w.get(), "50")
		expect("a large body", w.send("POST", "/", strings.NewReader(strings.Repeat("x", 1000))), "50")
		var wg sync.WaitGroup
		for range o.Requests {
			wg.Go(func() { w.get() })
		}
		synctest.Wait()
		expect("one too many", w.get(), "50")
		wg.Wait()
		for range o.Requests {
			wg.Go(func() { leaves(w) })
		}
		time.Sleep(1500 * time.Millisecond)
		synctest.Wait()
		check(t, "of clients that left", w.pool.OnStandby(), 0)
		check(t, "reason", w.record().Reason, reason.ClientGone)
		wg.Wait()
		time.Sleep(time.Minute)
		check(t, "after it has ended by itself", w.get().status, 200)
	})
}

// TestPauseIsTight: when nothing is in flight during a pause, nothing reaches an
// upstream, neither a retry nor a request that waited for something else.
func TestPauseIsTight(t *testing.T) {
	for name, tc := range map[string]func(w *world) (then func()){
		"held": func(w *world) func() {
			w.pool.Members()[0].SetOperator(balancer.Off)
			return func() { w.pool.Members()[0].SetOperator(balancer.Ready) }
		},
		"before a retry": func(w *world) func() {
			w.pool.Update(specs("dead:80"))
			return func() { w.pool.Update(specs("app:80")) }
		},
		"queued": func(w *world) func() {
			w.pool.Update([]balancer.Spec{{Addr: "app:80", MaxInFlight: 1}})
			lease, _ := w.pool.Members()[0].TryAcquire()
			return lease.Release
		},
	} {
		s := setup{upstreams: specs("app:80")}
		s.pool.Retry = retries(5)
		s.pool.Hold = held
		s.pool.Queue = proxy.Queue{MaxRequests: 10, MaxWait: 5 * time.Second}
		bubble(t, s, func(w *world) {
			var asked atomic.Int32
			w.app("app:80", func(http.ResponseWriter, *http.Request) { asked.Add(1) })
			then := tc(w)
			var wg sync.WaitGroup
			wg.Go(func() { check(t, name+": status", w.get().status, 200) })
			time.Sleep(time.Second)
			w.pool.Pause(paused)
			then()
			time.Sleep(5 * time.Second)
			check(t, name+": asked", asked.Load(), 0)
			check(t, name+": in flight", w.pool.InFlight(), 0)
			w.pool.Resume()
			wg.Wait()
			check(t, name+": asked in the end", asked.Load(), 1)
		})
	}
}

// TestPauseOutlastsTheRequestsTime: the request's own deadline ends its wait.
func TestPauseOutlastsTheRequestsTime(t *testing.T) {
	s := setup{upstreams: specs("app:80")}
	s.pool.Timeouts.Request = time.Second
	bubble(t, s, func(w *world) {
		w.app("app:80", ok)
		w.pool.Pause(paused)
		check(t, "status", w.get().status, 503)
		check(t, "reason", w.record().Reason, reason.Paused)
		check(t, "duration", w.record().Duration, time.Second)
	})
}

// TestPauseRacesWithRequests: when nothing is in flight during a pause, no request
// reaches the upstreams until it ends.
func TestPauseRacesWithRequests(t *testing.T) {
	s := setup{upstreams: specs("app:80")}
	bubble(t, s, func(w *world) {
		var still atomic.Bool
		w.app("app:80", func(http.ResponseWriter, *http.Request) {
			if still.Load() {
				t.Error("a request came during the pause")
			}
			time.Sleep(100 * time.Microsecond)
		})
		ctx, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for ctx.Err() == nil {
					check(t, "status", w.get().status, 200)
				}
			})
		}
		o := paused
		o.Requests = 100
		for range 50 {
			w.pool.Pause(o)
			for w.pool.InFlight() > 0 {
				time.Sleep(time.Millisecond)
			}
			still.Store(true)
			time.Sleep(time.Millisecond)
			still.Store(false)
			w.pool.Resume()
			time.Sleep(50 * time.Microsecond)
		}
		cancel()
		wg.Wait()
	})
}

// TestPauseOfGRPC: a gRPC call whose wait ended without an upstream, or that arrived
// during a maintenance, gets UNAVAILABLE.
func TestPauseOfGRPC(t *testing.T) {
	for name, closed := range map[string]func(w *world){
		"paused":      func(w *world) { w.pool.Pause(paused) },
		"maintenance": func(w *world) { w.pool.SetMaintenance(&proxy.Maintenance{Page: []byte("sorry")}) },
	} {
		bubble(t, grpcSetup("app:80"), func(w *world) {
			w.useHTTP2()
			closed(w)
			got, a := w.call()
			check(t, name, got, "200 application/grpc 14")
			check(t, name+": message", strings.Contains(a.header.Get("Grpc-Message"), name), true)
		})
	}
}

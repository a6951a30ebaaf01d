package proxy_test

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/proxy"
)

var held = proxy.Hold{For: 10 * time.Second, MaxRequests: 2}

func ok(w http.ResponseWriter, _ *http.Request) {}

// A request waits, and continues when an upstream becomes available.
func TestHoldEndsWithAnUpstream(t *testing.T) {
	t.Parallel()
	after := 1500 * time.Millisecond
	for name, tc := range map[string]struct {
		change func(*setup)
		before func(w *world) (then func())
	}{
		"found by discovery": {
			change: func(s *setup) { s.upstreams = nil },
			before: func(w *world) func() { return func() { w.pool.Update(specs("app:80")) } },
		},
		"first verdict of the probes": {
			change: func(s *setup) { s.balancer.Checked = true },
			before: func(w *world) func() {
				return func() { w.pool.Members()[0].ObserveProbe(balancer.Passed, balancer.Thresholds{Rise: 2, Fall: 3}) }
			},
		},
		"operator": {
			before: func(w *world) func() {
				u := w.pool.Members()[0]
				u.SetOperator(balancer.Off)
				return func() { u.SetOperator(balancer.Ready) }
			},
		},
		"place": {
			change: func(s *setup) { s.upstreams[0].MaxInFlight = 1 },
			before: func(w *world) func() {
				lease, _ := w.pool.Members()[0].TryAcquire()
				return lease.Release
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := setup{upstreams: specs("app:80")}
			s.pool.Hold = held
			if tc.change != nil {
				tc.change(&s)
			}
			bubble(t, s, func(w *world) {
				w.app("app:80", ok)
				then := tc.before(w)
				go func() {
					time.Sleep(after)
					then()
				}()
				check(t, "status", w.send("POST", "/", strings.NewReader("x")).status, 200)
				rec := w.record()
				check(t, "duration", rec.Duration, after)
				check(t, "held", rec.Held, after)
				check(t, "still waiting", w.pool.Waiting(), 0)
			})
		})
	}
}

func TestHoldExpires(t *testing.T) {
	t.Parallel()
	s := setup{}
	s.pool.Hold = held
	bubble(t, s, func(w *world) {
		check(t, "status", w.get().status, 503)
		check(t, "duration", w.record().Duration, held.For)
		check(t, "held", w.record().Held, held.For)
	})
}

// A request whose time ends before its turn, while upstreams come back, is answered. It
// is no sign of an overload.
func TestHoldEndsAsUpstreamsReturn(t *testing.T) {
	t.Parallel()
	s := setup{upstreams: specs("app:80")}
	s.pool.Hold = proxy.Hold{For: time.Second, MaxRequests: 100}
	bubble(t, s, func(w *world) {
		w.app("app:80", func(http.ResponseWriter, *http.Request) { time.Sleep(100 * time.Millisecond) })
		u := w.pool.Members()[0]
		u.SetOperator(balancer.Off)
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() { check(t, "status", w.get().status, 200) })
		}
		synctest.Wait()
		time.Sleep(time.Second - time.Millisecond)
		u.SetOperator(balancer.Ready)
		wg.Wait()
	})
}

func TestHoldIsBounded(t *testing.T) {
	t.Parallel()
	s := setup{}
	s.pool.Hold = held
	bubble(t, s, func(w *world) {
		var wg sync.WaitGroup
		for range held.MaxRequests {
			wg.Go(func() { w.get() })
		}
		synctest.Wait()
		check(t, "waiting", w.pool.Waiting(), held.MaxRequests)
		check(t, "status", w.get().status, 503)
		rec := w.record()
		check(t, "reason", rec.Reason, reason.Overloaded)
		check(t, "duration", rec.Duration, 0)
		wg.Wait()
		check(t, "waiting", w.pool.Waiting(), 0)
	})
}

// The bodies of waiting requests take bounded memory.
func TestHoldBoundsBodies(t *testing.T) {
	t.Parallel()
	s := setup{}
	s.pool.Hold = proxy.Hold{For: 10 * time.Second, MaxRequests: 10, MaxBody: 1000}
	s.pool.Retry.MaxBody = 1000
	bubble(t, s, func(w *world) {
		var wg sync.WaitGroup
		wg.Go(func() { w.send("POST", "/", strings.NewReader(strings.Repeat("x", 600))) })
		synctest.Wait()
		check(t, "status", w.send("POST", "/", strings.NewReader(strings.Repeat("x", 600))).status, 503)
		rec := w.record()
		check(t, "reason", rec.Reason, reason.Overloaded)
		check(t, "duration", rec.Duration, 0)
		wg.Go(func() { w.send("POST", "/", strings.NewReader(strings.Repeat("x", 400))) })
		wg.Go(func() { w.get() })
		synctest.Wait()
		check(t, "waiting", w.pool.Waiting(), 3)
		wg.Wait()
	})
}

// A client that leaves gives up its place at once.
func TestHoldEndsWithTheClient(t *testing.T) {
	t.Parallel()
	s := setup{}
	s.pool.Hold = held
	bubble(t, s, func(w *world) {
		leaves(w)
		rec := w.record()
		check(t, "reason", rec.Reason, reason.ClientGone)
		check(t, "held", rec.Held, time.Second)
		check(t, "waiting", w.pool.Waiting(), 0)
	})
}

// The only application restarts, and no client notices: requests arrive all the time and
// none fails, whatever the method.
func TestLoneApplicationRestarts(t *testing.T) {
	t.Parallel()
	for _, checked := range []bool{false, true} {
		s := setup{upstreams: specs("app:80")}
		s.balancer.Checked = checked
		s.balancer.Breaker = balancer.BreakerOptions{Enabled: true, Consecutive: 5, FailureRatio: 0.5, MinRequests: 10}
		s.balancer.MaxEjected = 0.5
		s.pool.Retry = retries(3)
		s.pool.Retry.Budget, s.pool.Retry.BudgetMin = 0.2, 10
		s.pool.Hold = proxy.Hold{For: 10 * time.Second, MaxRequests: 1000}
		bubble(t, s, func(w *world) {
			up := w.app("app:80", ok)
			u := w.pool.Members()[0]
			thresholds := balancer.Thresholds{Rise: 2, Fall: 3}
			if checked {
				u.ObserveProbe(balancer.Passed, thresholds)
			}
			var failed atomic.Int64
			var wg sync.WaitGroup
			for i := range 100 {
				wg.Go(func() {
					time.Sleep(time.Duration(i) * 50 * time.Millisecond)
					method := []string{"GET", "POST", "PUT"}[i%3]
					if got := w.send(method, "/", strings.NewReader("x")); got.status != 200 {
						failed.Add(1)
						t.Errorf("%s at %d ms: got %d %s, %v", method, i*50, got.status, got.header.Get("Proxy-Status"), got.err)
					}
				})
			}
			time.Sleep(time.Second)
			up.Close()
			time.Sleep(1500 * time.Millisecond)
			w.app("app:80", ok)
			if checked {
				time.Sleep(100 * time.Millisecond)
				u.ObserveProbe(balancer.Passed, thresholds)
			}
			wg.Wait()
			check(t, "failures", failed.Load(), 0)
		})
	}
}

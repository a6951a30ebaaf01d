package proxy_test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goodgate/goodgate/balancer"
)

// An application that announces its end gets no new requests for the time it names, and
// clients do not notice.
func TestApplicationDrains(t *testing.T) {
	t.Parallel()
	s := setup{upstreams: specs("a:80", "b:80")}
	s.pool.DrainHeader = true
	bubble(t, s, func(w *world) {
		drain := "30s"
		w.app("a:80", func(w http.ResponseWriter, r *http.Request) {
			if drain != "" {
				w.Header().Set("Goodgate-Drain", drain)
			}
			w.Write([]byte("a"))
		})
		w.app("b:80", func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("b")) })
		expect := func(when, want string) {
			t.Helper()
			got := w.get()
			check(t, when, got.body, want)
			check(t, "header", got.header.Get("Goodgate-Drain"), "")
		}
		expect("the one that says it", "a")
		expect("the next", "b")
		time.Sleep(29 * time.Second)
		expect("while it drains", "b")
		drain = "nonsense"
		time.Sleep(2 * time.Second)
		expect("afterwards", "a")
		expect("a value that means nothing", "a")
	})
}

// A pool without DrainHeader ignores the field. No client sees it, in header or trailer.
func TestDrainHeaderIsNotTrusted(t *testing.T) {
	t.Parallel()
	bubble(t, setup{upstreams: specs("a:80", "b:80")}, func(w *world) {
		w.app("a:80", func(w http.ResponseWriter, r *http.Request) {
			check(t, "fields that reach the application", len(r.Header["Goodgate-Drain"])+len(r.Header["Goodgate_drain"])+len(r.Trailer), 0)
			w.Header().Set("Trailer", "Goodgate-Drain, X-Kept")
			w.Header().Set("Goodgate-Drain", "87600h")
			w.Write([]byte("a"))
			w.Header().Set("X-Kept", "1")
		})
		for range 3 {
			r := w.request("POST", "/", strings.NewReader("body"))
			r.Header = http.Header{"Goodgate-Drain": {"1h"}, "goodgate_drain": {"1h"}}
			r.ContentLength = -1
			r.Trailer = http.Header{"Goodgate-Drain": {"1h"}, "Goodgate_drain": {"1h"}}
			res, err := w.client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(res.Body)
			res.Body.Close()
			check(t, "answer", string(body), "a")
			check(t, "the client's", fmt.Sprint(res.Header["Goodgate-Drain"], res.Trailer), "[] map[X-Kept:[1]]")
		}
		check(t, "rests", w.pool.Members()[0].Resting(), false)
	})
}

// A server that shuts down answers with a 503, Retry-After and a closed connection. The
// request goes to another upstream, and the server is probed. If the probe agrees, the
// server gets no new requests for that time, at most thirty seconds. None of this counts
// as a failure.
func TestServerGoesAway(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		header http.Header
		away   time.Duration
	}{
		"seconds":           {http.Header{"Connection": {"close"}, "Retry-After": {"5"}}, 5 * time.Second},
		"a date":            {http.Header{"Connection": {"close"}, "Retry-After": {time.Date(2000, 1, 1, 0, 0, 7, 0, time.UTC).Format(http.TimeFormat)}}, 7 * time.Second},
		"hours":             {http.Header{"Connection": {"close"}, "Retry-After": {"7200"}}, 30 * time.Second},
		"keeps connections": {http.Header{"Retry-After": {"5"}}, 0},
		"does not say when": {http.Header{"Connection": {"close"}}, 0},
		"a past date":       {http.Header{"Connection": {"close"}, "Retry-After": {"Fri, 31 Dec 1999 23:59:59 GMT"}}, 0},
		"nonsense":          {http.Header{"Connection": {"close"}, "Retry-After": {"soon"}}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, leavingSetup("a:80", "b:80"), func(w *world) {
				w.app("a:80", func(w http.ResponseWriter, r *http.Request) {
					maps.Copy(w.Header(), tc.header)
					w.WriteHeader(503)
				})
				w.app("b:80", ok)
				a := w.passProbes()[0]
				check(t, "the request itself", w.get().status, 200)
				check(t, "asks for a probe", len(a.Nudged()) > 0, tc.away > 0)
				check(t, "rests unconfirmed", a.Resting(), false)
				check(t, "breaker before", a.Breaker(), balancer.Open)
				a.ObserveProbe(balancer.Wrong, balancer.Thresholds{Rise: 2, Fall: 3})
				check(t, "rests", a.Resting(), tc.away > 0)
				if tc.away == 0 {
					check(t, "breaker", a.Breaker(), balancer.Open)
					return
				}
				check(t, "breaker", a.Breaker(), balancer.Closed)
				time.Sleep(tc.away - time.Millisecond)
				check(t, "until then", a.Available(), false)
				time.Sleep(2 * time.Millisecond)
				check(t, "afterwards", a.Available(), true)
			})
		})
	}
}

// leavingSetup has upstreams that the test probes. The first failure opens a breaker.
func leavingSetup(addrs ...string) setup {
	s := setup{upstreams: specs(addrs...)}
	s.pool.Retry = retries(3)
	s.pool.Retry.Statuses = []int{503}
	s.balancer.Checked = true
	s.balancer.Breaker = balancer.BreakerOptions{Enabled: true, Consecutive: 1, OpenFor: time.Minute, MaxOpenFor: time.Minute}
	s.balancer.MaxEjected = 0.5
	return s
}

// passProbes lets each upstream pass its first probe.
func (w *world) passProbes() []balancer.Member {
	members := w.pool.Members()
	for i := range members {
		members[i].ObserveProbe(balancer.Passed, balancer.Thresholds{})
	}
	return members
}

func leaving(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Connection", "close")
	w.Header().Set("Retry-After", "120")
	w.WriteHeader(503)
}

// A page under maintenance gives the same answer as a server that shuts down. Requests
// for it drain no upstream, because the probes pass.
func TestMaintenancePageEjectsNoUpstream(t *testing.T) {
	t.Parallel()
	s := leavingSetup("a:80", "b:80", "c:80")
	s.balancer.Breaker.Consecutive = 5
	bubble(t, s, func(w *world) {
		for _, addr := range []string{"a:80", "b:80", "c:80"} {
			w.app(addr, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/maint" {
					leaving(w, r)
				}
			})
		}
		members := w.passProbes()
		got := w.send("GET", "/maint", nil)
		check(t, "status", got.status, 503)
		check(t, "Retry-After", got.header.Get("Retry-After"), "120")
		for i := range members {
			check(t, "asks for a probe", len(members[i].Nudged()), 1)
			members[i].ObserveProbe(balancer.Passed, balancer.Thresholds{})
			members[i].ObserveProbe(balancer.Wrong, balancer.Thresholds{Rise: 2, Fall: 3}) // it arrives too late to matter
			check(t, "is available", members[i].Available(), true)
		}
	})
}

// The last available upstream gets requests even if it announces its end, and its answers
// count.
func TestLastAvailableUpstreamStaysInUse(t *testing.T) {
	t.Parallel()
	s := leavingSetup("a:80", "b:80")
	s.balancer.Breaker = balancer.BreakerOptions{}
	bubble(t, s, func(w *world) {
		w.app("a:80", leaving)
		w.app("b:80", leaving)
		members := w.passProbes()
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() { w.get() })
		}
		all.Wait()
		for i := range members {
			members[i].ObserveProbe(balancer.Drains, balancer.Thresholds{Rise: 2, Fall: 3})
		}
		check(t, "the first rests", members[0].Resting(), true)
		check(t, "the last rests", members[1].Resting(), false)
	})
}

// A client that repeats a request which every upstream answers with 503 can open the
// breakers of some. Other clients still get answers: the ejection limit holds, and no
// breaker opens for a failure that all upstreams share.
func TestFailingPageLeavesOthersServed(t *testing.T) {
	t.Parallel()
	for name, attempts := range map[string]int{"retried": 3, "not retried": 1} {
		t.Run(name, func(t *testing.T) {
			s := leavingSetup("a:80", "b:80", "c:80")
			s.balancer.Policy = "round_robin"
			s.balancer.Breaker.Consecutive = 5
			s.pool.Retry.Attempts = attempts
			bubble(t, s, func(w *world) {
				for _, addr := range []string{"a:80", "b:80", "c:80"} {
					w.app(addr, func(w http.ResponseWriter, r *http.Request) {
						if r.URL.Path == "/maint" {
							leaving(w, r)
						}
					})
				}
				members := w.passProbes()
				for range 100 {
					w.send("GET", "/maint", nil)
					left := 0
					for i := range members {
						members[i].ObserveProbe(balancer.Passed, balancer.Thresholds{})
						if members[i].Available() {
							left++
						}
					}
					check(t, "enough are left", left >= 2, true)
					check(t, "another client", w.get().status, 200)
				}
			})
		})
	}
}

package proxy_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/limit"
	"github.com/goodgate/goodgate/proxy"
)

func limited(l *proxy.Limits) setup {
	s := setup{upstreams: specs("app:80")}
	s.route.Limits = l
	return s
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	rate := proxy.Rate{Name: "key", On: proxy.RateByHeader("X-Api-Key"), PerSecond: 0.5, Burst: 2}
	bubble(t, limited(&proxy.Limits{Rates: []*proxy.Rate{proxy.NewRate(rate)}}), func(w *world) {
		w.app("app:80", ok)
		ask := func(key string) string {
			req, _ := http.NewRequest("GET", "http://example.com/", nil)
			req.Header.Set("X-Api-Key", key)
			res, err := w.client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			h := res.Header
			return fmt.Sprintf("%d retry %q %s %s", res.StatusCode, h.Get("Retry-After"), h.Get("RateLimit-Policy"), h.Get("RateLimit"))
		}
		check(t, "first", ask("a"), `200 retry "" "key";q=2;w=4 "key";r=1;t=2`)
		check(t, "second", ask("a"), `200 retry "" "key";q=2;w=4 "key";r=0;t=4`)
		check(t, "third", ask("a"), `429 retry "2" "key";q=2;w=4 "key";r=0;t=4`)
		check(t, "reason", w.record().Reason, reason.RateLimited)
		check(t, "another key", ask("b"), `200 retry "" "key";q=2;w=4 "key";r=1;t=2`)
		check(t, "no key", ask(""), `200 retry ""  `)
		time.Sleep(2 * time.Second)
		check(t, "two seconds later", ask("a"), `200 retry "" "key";q=2;w=4 "key";r=0;t=4`)
	})
}

func TestRateLimitDryRun(t *testing.T) {
	t.Parallel()
	rate := proxy.Rate{Name: "all", PerSecond: 1, Burst: 1, DryRun: true}
	bubble(t, limited(&proxy.Limits{Rates: []*proxy.Rate{proxy.NewRate(rate)}}), func(w *world) {
		w.app("app:80", ok)
		for i, want := range []string{"", "all"} {
			res, err := w.client.Get("http://example.com/")
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			check(t, fmt.Sprint("status ", i), res.StatusCode, 200)
			check(t, fmt.Sprint("would limit ", i), w.record().DryRun, want)
		}
	})
}

// TestMaxBody: a body of known length that is too large is refused before an upstream
// sees it, and one of unknown length as soon as it is too long.
func TestMaxBody(t *testing.T) {
	t.Parallel()
	bubble(t, limited(&proxy.Limits{MaxBody: 10}), func(w *world) {
		w.app("app:80", func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
		for name, tc := range map[string]struct {
			body io.Reader
			want int
		}{
			"within":           {strings.NewReader("0123456789"), 200},
			"over":             {strings.NewReader("0123456789a"), 413},
			"unknown, within":  {io.MultiReader(strings.NewReader("0123456789")), 200},
			"unknown, over":    {io.MultiReader(strings.NewReader("0123456789a")), 413},
			"unknown, by much": {io.MultiReader(strings.NewReader(strings.Repeat("x", 1<<20))), 413},
		} {
			res, err := w.client.Post("http://example.com/", "text/plain", tc.body)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			res.Body.Close()
			check(t, name, res.StatusCode, tc.want)
			if tc.want == 413 {
				check(t, name, w.record().Reason, reason.RequestTooLarge)
			}
		}
	})
}

// TestRefuse: requests are refused while Refuse returns an error, and reach no upstream.
func TestRefuse(t *testing.T) {
	t.Parallel()
	s := setup{upstreams: specs("app:80")}
	var short error
	s.proxy.Refuse = func() error { return short }
	bubble(t, s, func(w *world) {
		w.app("app:80", ok)
		check(t, "while there is none", w.get().status, 200)
		short = errors.New("no memory")
		check(t, "while there is one", w.get().status, 503)
		r := w.record()
		check(t, "reason", r.Reason, reason.Overloaded)
		check(t, "attempts", len(r.Attempts), 0)
	})
}

// The record of a request that was refused as overloaded names the setting that would
// have admitted it.
func TestOverloadedNamesTheSetting(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(s *setup)
		want   string
	}{
		"memory": {func(s *setup) {
			s.proxy.Refuse = func() error { return fmt.Errorf("%w: 246 MiB, GOMEMLIMIT is 200 MiB", limit.ErrMemory) }
		}, "a larger GOMEMLIMIT, or fewer clients at once: listeners[].max_connections or connections_per_client"},
		"descriptors": {func(s *setup) {
			s.pool.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, syscall.EMFILE }
		}, "more file descriptors (LimitNOFILE= in systemd, ulimit -n) or memory for goodgate"},
		"requests": {func(s *setup) {
			l := &proxy.Limits{Requests: 1}
			s.route.Limits, s.pool.Limits = l, l // it meets itself
		}, "a larger limits.max_requests"},
		"places": {func(s *setup) {
			s.upstreams[0].MaxInFlight = 1
			s.pool.Queue = proxy.Queue{MaxRequests: 1, MaxWait: time.Millisecond}
		}, "a larger max_in_flight, or more or faster upstreams"},
		"held": {func(s *setup) {
			s.upstreams = nil
			s.pool.Hold = proxy.Hold{For: time.Second}
		}, "a larger hold.max_requests or hold.max_body"},
	} {
		s := setup{upstreams: specs("app:80")}
		tc.change(&s)
		bubble(t, s, func(w *world) {
			w.app("app:80", func(http.ResponseWriter, *http.Request) { time.Sleep(time.Second) })
			var wg sync.WaitGroup
			wg.Go(func() { w.get() })
			time.Sleep(time.Millisecond)
			w.get()
			rec := w.record()
			check(t, name+": reason", rec.Reason, reason.Overloaded)
			check(t, name, rec.SavedBy, tc.want)
			wg.Wait()
		})
	}
}

// TestNoFileDescriptors: a lack of file descriptors is not the upstream's fault,
// and causes no retry.
func TestNoFileDescriptors(t *testing.T) {
	t.Parallel()
	s := setup{upstreams: specs("a:80", "b:80")}
	s.pool.Retry = retries(3)
	s.pool.Dial = func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("socket", syscall.EMFILE)}
	}
	bubble(t, s, func(w *world) {
		for range 20 {
			check(t, "status", w.get().status, 503)
			r := w.record()
			check(t, "reason", r.Reason, reason.Overloaded)
			check(t, "decisions", decisions(r), "a:overloaded:strained")
		}
		for _, m := range w.pool.Members() {
			check(t, "available "+m.Addr(), m.Available(), true)
		}
	})
}

// TestBusyPoolHoldsNoRequests: while all places are taken, requests wait in the queue, and
// not in the hold for unavailable upstreams.
func TestBusyPoolHoldsNoRequests(t *testing.T) {
	t.Parallel()
	s := setup{upstreams: []balancer.Spec{{Addr: "app:80", MaxInFlight: 2}}}
	s.pool.Hold = proxy.Hold{For: 10 * time.Second, MaxRequests: 100}
	s.pool.Queue = proxy.Queue{MaxRequests: 100}
	bubble(t, s, func(w *world) {
		w.app("app:80", func(http.ResponseWriter, *http.Request) { time.Sleep(time.Second) })
		var mu sync.Mutex
		got := map[int]int{}
		var wg sync.WaitGroup
		began := time.Now()
		for range 20 {
			wg.Go(func() {
				a := w.get()
				mu.Lock()
				defer mu.Unlock()
				got[a.status]++
			})
		}
		for range 40 {
			time.Sleep(10 * time.Millisecond)
			if n := w.pool.Waiting(); n != 0 {
				t.Fatalf("%d requests are held although an upstream is available", n)
			}
		}
		wg.Wait()
		check(t, "answers", fmt.Sprint(got), "map[200:2 503:18]")
		check(t, "all had theirs after", time.Since(began), time.Second)
	})
}

// TestNoTimeLeft: a request that waits for a place is not sent if its answer could not
// arrive within its timeout.
func TestNoTimeLeft(t *testing.T) {
	t.Parallel()
	s := setup{upstreams: []balancer.Spec{{Addr: "app:80", MaxInFlight: 1}}}
	s.pool.Queue = proxy.Queue{MaxRequests: 100}
	s.route.Timeout = 250 * time.Millisecond
	bubble(t, s, func(w *world) {
		w.app("app:80", func(http.ResponseWriter, *http.Request) { time.Sleep(100 * time.Millisecond) })
		check(t, "alone", w.get().status, 200)
		var wg sync.WaitGroup
		began := time.Now()
		for range 3 {
			wg.Go(func() {
				if a := w.get(); a.status != 200 {
					check(t, "without time", a.status, 503)
					check(t, "refused after", time.Since(began).Round(10*time.Millisecond), 150*time.Millisecond)
				}
			})
		}
		wg.Wait()
		check(t, "all done after", time.Since(began), 200*time.Millisecond)
	})
}

func TestMaxRequests(t *testing.T) {
	t.Parallel()
	bubble(t, limited(&proxy.Limits{Requests: 2}), func(w *world) {
		w.app("app:80", func(http.ResponseWriter, *http.Request) { time.Sleep(time.Second) })
		var mu sync.Mutex
		got := map[int]int{}
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				res, err := w.client.Get("http://example.com/")
				if err != nil {
					t.Error(err)
					return
				}
				res.Body.Close()
				mu.Lock()
				got[res.StatusCode]++
				mu.Unlock()
			})
		}
		wg.Wait()
		check(t, "answers", fmt.Sprint(got), "map[200:2 503:3]")
		res, _ := w.client.Get("http://example.com/")
		res.Body.Close()
		check(t, "afterwards", res.StatusCode, 200)
	})
}

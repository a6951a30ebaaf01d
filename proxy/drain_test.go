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

// An application that is about to end gets no new requests for as long as it
// says, and clients see nothing of it.
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

// A pool that does not trust its applications with it takes nobody out, whoever
// made the application say it; and no client sees the field, in the header or
// the trailer.
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

// A server that shuts down says so with a 503, Retry-After and a closed
// connection: it gets no new requests for as long, thirty seconds at most, the
// request goes elsewhere, and none of it counts as a failure.
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
		"a date gone by":    {http.Header{"Connection": {"close"}, "Retry-After": {"Fri, 31 Dec 1999 23:59:59 GMT"}}, 0},
		"nonsense":          {http.Header{"Connection": {"close"}, "Retry-After": {"soon"}}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := setup{upstreams: specs("a:80", "b:80")}
			s.pool.Retry = retries(2)
			s.pool.Retry.Statuses = []int{503}
			s.balancer.Breaker = balancer.BreakerOptions{Enabled: true, Consecutive: 1, OpenFor: time.Minute, MaxOpenFor: time.Minute}
			s.balancer.MaxEjected = 0.5
			bubble(t, s, func(w *world) {
				w.app("a:80", func(w http.ResponseWriter, r *http.Request) {
					maps.Copy(w.Header(), tc.header)
					w.WriteHeader(503)
				})
				w.app("b:80", ok)
				check(t, "the request itself", w.get().status, 200)
				a := w.pool.Members()[0]
				check(t, "drains", a.Resting(), tc.away > 0)
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

// The last one left gets requests whatever it says, and what it answers counts.
func TestLastServerCannotGoAway(t *testing.T) {
	t.Parallel()
	s := setup{upstreams: specs("a:80", "b:80")}
	bubble(t, s, func(w *world) {
		leaving := func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Connection", "close")
			w.Header().Set("Retry-After", "20")
			w.WriteHeader(503)
		}
		w.app("a:80", leaving)
		w.app("b:80", leaving)
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() { w.get() })
		}
		all.Wait()
		check(t, "draining", w.pool.Members()[0].Resting() != w.pool.Members()[1].Resting(), true)
	})
}

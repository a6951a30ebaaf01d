package proxy_test

import (
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/proxy"
)

// standing makes a pool in which b could take one more request, but no place is left:
// another request has it and waits for its retry. It then sends a request to a, which the
// given handler answers, while others may wait for a place. It returns the record of that
// request.
func standing(t *testing.T, waiters bool, hedge time.Duration, answers http.HandlerFunc) (got string, status int) {
	s := setup{upstreams: []balancer.Spec{{Addr: "a:80", MaxInFlight: 1}, {Addr: "b:80", MaxInFlight: 2}}}
	s.pool.Retry = retries(3)
	s.pool.Retry.Statuses = []int{503}
	s.pool.Retry.Budget = 1
	s.pool.Retry.Hedge = proxy.Hedge{After: hedge, Budget: 1}
	s.pool.Hold = proxy.Hold{For: 10 * time.Second, MaxRequests: 100}
	s.pool.Queue = proxy.Queue{MaxRequests: 100}
	s.pool.Commit.Buffer = 64 << 10 // else an answer to be bettered keeps its upstream
	s.pool.Timeouts.ResponseHeader = time.Minute
	bubble(t, s, func(w *world) {
		w.app("a:80", answers)
		w.app("b:80", func(rw http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/long":
				time.Sleep(5 * time.Second)
			case "/again":
				rw.Header().Set("Retry-After", "5")
				rw.WriteHeader(503)
				io.WriteString(rw, "busy")
			}
		})
		var all sync.WaitGroup
		send := func(path string) {
			all.Go(func() { w.do(w.request("POST", path, nil)) })
			time.Sleep(40 * time.Millisecond)
		}
		all.Go(func() {
			a := w.do(w.request("GET", "/asked", nil))
			status = a.status
		})
		time.Sleep(40 * time.Millisecond)
		send("/long")
		all.Go(func() { w.do(w.request("GET", "/again", nil)) })
		time.Sleep(40 * time.Millisecond)
		for range 75 { // 3 s
			if waiters {
				send("/waits")
			} else {
				time.Sleep(40 * time.Millisecond)
			}
		}
		all.Wait()
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, r := range w.records {
			if r.Path == "/asked" {
				got = decisions(r)
			}
		}
	})
	return got, status
}

// TestNoHedgeInOverload: no request is hedged while requests keep waiting for a place.
func TestNoHedgeInOverload(t *testing.T) {
	t.Parallel()
	slow := func(http.ResponseWriter, *http.Request) { time.Sleep(3 * time.Second) }
	got, status := standing(t, false, time.Second, slow)
	check(t, "nobody waits", got, "a:none:lost_race b:200:answered")
	check(t, "status", status, 200)
	got, status = standing(t, true, time.Second, slow)
	check(t, "others wait", got, "a:200:answered")
	check(t, "status", status, 200)
}

// TestNoRetryInOverload: no request is retried while requests keep waiting for a place.
func TestNoRetryInOverload(t *testing.T) {
	t.Parallel()
	fails := func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(2 * time.Second)
		w.WriteHeader(503)
	}
	got, status := standing(t, false, 0, fails)
	check(t, "nobody waits", got, "a:503:retried b:200:answered")
	check(t, "status", status, 200)
	got, status = standing(t, true, 0, fails)
	check(t, "others wait", got, "a:503:strained")
	check(t, "status", status, 503)
}

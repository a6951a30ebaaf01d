package proxy_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goodgate/goodgate/proxy"
)

// The conditions by which the cache asks whether its response has changed are for the
// pool's upstreams only. A fallback pool gets the client's request, so it cannot answer
// 304 to a client that asked for a page.
func TestCacheConditionsStayInThePool(t *testing.T) {
	t.Parallel()
	for _, front := range fronts {
		for _, own := range []string{"", `"other"`} {
			c := fallbackCase{setup: fallbackSetup()}
			c.front = front
			c.pool.Stale = proxy.Stale{MaxSize: 1 << 20, Hits: true, Wait: 5 * time.Second}
			c.run(t, func(w *world) {
				var down atomic.Bool
				w.app("app:80", func(rw http.ResponseWriter, r *http.Request) {
					if down.Load() {
						rw.WriteHeader(503)
						return
					}
					rw.Header().Set("Cache-Control", "max-age=10")
					rw.Header().Set("Etag", `"a"`)
					fmt.Fprint(rw, "app")
				})
				asked := "nothing"
				w.app("spare2:80", func(rw http.ResponseWriter, r *http.Request) {
					asked = r.Header.Get("If-None-Match")
					if rw.Header().Set("Etag", `"a"`); asked == `"a"` {
						rw.WriteHeader(304)
						return
					}
					fmt.Fprint(rw, "spare")
				})
				check(t, front+": first", w.get().body, "app")
				time.Sleep(11 * time.Second)
				down.Store(true)
				var fields []string
				if own != "" {
					fields = []string{"If-None-Match", own}
				}
				got := w.asks("GET", "/", fields...)
				check(t, front+": by the fallback", fmt.Sprint(got.status, got.body), "200spare")
				check(t, front+": with the client's condition", asked, own)
			})
		}
	}
}

// A client that has the kept response lets the cache renew it: later clients need no
// upstream.
func TestCacheRenewedByConditionalRequest(t *testing.T) {
	t.Parallel()
	const date = "Sat, 01 Jan 2000 00:00:00 GMT"
	for _, front := range fronts {
		for _, c := range []struct {
			fields []string
			status int
			asked  int32 // in all
		}{
			{[]string{"If-None-Match", `"a"`}, 304, 2},
			{[]string{"If-None-Match", `W/"a"`}, 304, 2},
			{[]string{"If-None-Match", `"b", "a"`}, 304, 2},
			{[]string{"If-Modified-Since", date}, 304, 2},
			{[]string{"If-None-Match", `"b"`}, 200, 2},
			{[]string{"If-Match", `"a"`, "If-None-Match", `"a"`}, 304, 3},
		} {
			cached(t, front, func(rw http.ResponseWriter, r *http.Request) {
				rw.Header().Set("Cache-Control", "max-age=10")
				rw.Header().Set("Etag", `"a"`)
				rw.Header().Set("Last-Modified", date)
				http.ServeContent(rw, r, "page.txt", time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), strings.NewReader("page"))
			}, func(w *world, asked *atomic.Int32) {
				what := fmt.Sprint(front, ": ", c.fields)
				check(t, what+": first", w.get().body, "page")
				time.Sleep(11 * time.Second)
				got := w.asks("GET", "/", c.fields...)
				check(t, what, got.status, c.status)
				check(t, what+": later", w.get().body, "page")
				check(t, what+": asked", asked.Load(), c.asked)
			})
		}
	}
}

// Nobody waits for a request whose answer cannot be kept, and it waits for nobody.
func TestCacheDoesNotCoalesceInVain(t *testing.T) {
	t.Parallel()
	for _, front := range fronts {
		for _, fields := range [][]string{{"Authorization", "Basic x"}, {"Cache-Control", "no-store"}, {"Range", "bytes=0-0"}, {"If-None-Match", `"a"`}} {
			cached(t, front, func(rw http.ResponseWriter, r *http.Request) {
				time.Sleep(2 * time.Second)
				rw.Header().Set("Cache-Control", "max-age=60")
				rw.Write([]byte("hello"))
			}, func(w *world, asked *atomic.Int32) {
				what := fmt.Sprint(front, ": ", fields)
				began := time.Now()
				var wg sync.WaitGroup
				for i := range 3 {
					wg.Go(func() { w.asks("GET", "/", fields...) })
					time.Sleep(time.Duration(i) * 100 * time.Millisecond)
				}
				for range 5 {
					wg.Go(func() { check(t, what, w.get().body, "hello") })
				}
				wg.Wait()
				check(t, what+": took", time.Since(began), 2*time.Second+300*time.Millisecond)
				check(t, what+": asked", asked.Load(), 3+1)
			})
		}
	}
}

// If the client of the request that fetches a response leaves, one of the waiting
// requests fetches it.
func TestCacheCoalescesAfterALeaderLeft(t *testing.T) {
	t.Parallel()
	for _, front := range fronts {
		cached(t, front, func(rw http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(3 * time.Second):
			case <-r.Context().Done():
			}
			rw.Header().Set("Cache-Control", "max-age=60")
			rw.Write([]byte("hello"))
		}, func(w *world, asked *atomic.Int32) {
			ctx, leave := context.WithCancel(context.Background())
			var wg sync.WaitGroup
			wg.Go(func() {
				if res, err := w.client.Do(w.request("GET", "/", nil).WithContext(ctx)); err == nil {
					res.Body.Close()
					t.Errorf("%s: the leader got an answer", front)
				}
			})
			time.Sleep(time.Second)
			for range 5 {
				wg.Go(func() { check(t, front, w.get().body, "hello") })
			}
			time.Sleep(time.Second)
			leave()
			wg.Wait()
			check(t, front+": asked", asked.Load(), 2)
		})
	}
}

// A compressed answer has no length. Its end does not wait for the fetch of a newer
// response.
func TestCacheWhileRevalidatingCompressed(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("all work and no play ", 500)
	for _, front := range fronts {
		s := setup{front: front, upstreams: specs("app:80"), route: proxy.Route{Compress: compressing()}}
		s.pool.Stale = proxy.Stale{MaxSize: 1 << 20, Hits: true, Wait: 5 * time.Second}
		s.pool.Commit.Buffer = 64 << 10
		bubble(t, s, func(w *world) {
			var n atomic.Int32
			w.app("app:80", func(rw http.ResponseWriter, r *http.Request) {
				v := n.Add(1)
				if v > 1 {
					time.Sleep(5 * time.Second)
				}
				rw.Header().Set("Cache-Control", "max-age=10, stale-while-revalidate=30")
				rw.Header().Set("Content-Type", "text/plain")
				fmt.Fprint(rw, v, long)
			})
			ask := func(want string) {
				t.Helper()
				began := time.Now()
				got := w.asks("GET", "/", "Accept-Encoding", "gzip")
				check(t, front+": body", inflate(t, got.header.Get("Content-Encoding"), got.body) == want+long, true)
				check(t, front+": at once", time.Since(began), 0)
			}
			ask("1")
			time.Sleep(15 * time.Second)
			ask("1")
			time.Sleep(6 * time.Second)
			ask("2")
			check(t, front+": fetched", n.Load(), 2)
		})
	}
}

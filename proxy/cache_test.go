package proxy_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goodgate/goodgate/proxy"
)

// cached is a world whose pool has a cache. It counts the requests that reach the
// application.
func cached(t *testing.T, front string, app http.HandlerFunc, f func(w *world, asked *atomic.Int32)) {
	t.Helper()
	synctestBubble(t, func(t *testing.T) {
		var asked atomic.Int32
		s := setup{front: front, upstreams: specs("app:80")}
		s.pool.Stale = proxy.Stale{MaxSize: 1 << 20, Hits: true, Wait: 5 * time.Second}
		s.pool.Commit.Buffer = 64 << 10
		w := start(t, s)
		w.inBubble = true
		w.app("app:80", func(rw http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			app(rw, r)
		})
		f(w, &asked)
	})
}

func (w *world) asks(method, path string, fields ...string) answer {
	r := w.request(method, path, nil)
	for i := 0; i < len(fields); i += 2 {
		r.Header.Set(fields[i], fields[i+1])
	}
	return w.do(r)
}

// A response answers the next request if, and as long as, RFC 9111 allows it for a shared
// cache. A private response never does.
func TestCacheHits(t *testing.T) {
	t.Parallel()
	for _, front := range fronts {
		for _, c := range []struct {
			fields string // of the response
			first  []string
			second []string
			asked  int32 // in two requests
		}{
			{"Cache-Control: max-age=60", nil, nil, 1},
			{"Cache-Control: s-maxage=60, max-age=0", nil, nil, 1},
			{"Cache-Control: s-maxage=0, max-age=60", nil, nil, 2},
			{"Cache-Control: max-age=60, must-revalidate", nil, nil, 1},
			{"Cache-Control: max-age=5", nil, nil, 2}, // the two are ten seconds apart
			{"Cache-Control: max-age=60|Age: 55", nil, nil, 2},
			{"", nil, nil, 2},
			{"Last-Modified: Sat, 01 Jan 2000 00:00:00 GMT", nil, nil, 2}, // no heuristic freshness
			{"Cache-Control: max-age=60, private", nil, nil, 2},
			{"Cache-Control: max-age=60, no-store", nil, nil, 2},
			{"Cache-Control: max-age=60, no-cache", nil, nil, 2},
			{"Cache-Control: max-age=60|Set-Cookie: a=1", nil, nil, 2},
			{"Cache-Control: max-age=60|Vary: *", nil, nil, 2},
			{"Cache-Control: max-age=60|Vary: X-A", []string{"X-A", "1"}, []string{"X-A", "2"}, 2},
			{"Cache-Control: max-age=60|Vary: X-A", []string{"X-A", "1"}, []string{"X-A", "1"}, 1},
			{"Cache-Control: max-age=60", []string{"Authorization", "Basic x"}, []string{"Authorization", "Basic x"}, 2},
			{"Cache-Control: max-age=60", []string{"Authorization", "Basic x"}, nil, 2},
			{"Cache-Control: max-age=60", nil, []string{"Cache-Control", "no-cache"}, 2},
			{"Cache-Control: max-age=60", nil, []string{"Pragma", "no-cache"}, 2},
			{"Cache-Control: max-age=60", nil, []string{"Cache-Control", "max-age=0"}, 2},
			{"Cache-Control: max-age=60", nil, []string{"Cache-Control", "max-age=5"}, 2},
			{"Cache-Control: max-age=60", nil, []string{"Cache-Control", "max-age=30"}, 1},
			{"Cache-Control: max-age=60", nil, []string{"Cache-Control", "min-fresh=55"}, 2},
			{"Cache-Control: max-age=60", []string{"Cache-Control", "no-store"}, nil, 2},
			{"Cache-Control: max-age=5", nil, []string{"Range", "bytes=0-1"}, 2},
			{"Cache-Control: max-age=60, private=\"x\"", nil, nil, 2},
			{"Cache-Control: max-age=60|CDN-Cache-Control: no-store", nil, nil, 2},
			{"Cache-Control: max-age=60|CDN-Cache-Control: max-age=5", nil, nil, 2},
			{"Cache-Control: max-age=5|CDN-Cache-Control: max-age=60", nil, nil, 2},
			{"Cache-Control: no-store|CDN-Cache-Control: max-age=60", nil, nil, 2},
			{"Cache-Control: max-age=60|CDN-Cache-Control: max-age=600", nil, nil, 1},
			{"Cache-Control: max-age=60|Age: 55, 0", nil, nil, 2},
			{"Expires: Thu, 18 Aug 2050 02:01:18 GMT", nil, nil, 1},
			{"Expires: Thu, 18  Aug  2050 02:01:18 GMT", nil, nil, 2},
			{"Expires: Thu, 18 Aug 2050 2:01:18 GMT", nil, nil, 2},
			{"Expires: Thu Aug 18 02:01:18 2050", nil, nil, 1},
			{"Cache-Control: max-age=60", []string{"Range", "bytes=0-1"}, nil, 2},
			{"Cache-Control: max-age=60|Status: 404", nil, nil, 1},
			{"Cache-Control: max-age=60|Status: 302", nil, nil, 1},
			{"Cache-Control: max-age=60|Status: 500", nil, nil, 2},
			{"Cache-Control: max-age=60|Status: 206", nil, nil, 2},
			{"Expires: 0", nil, nil, 2},
		} {
			cached(t, front, func(rw http.ResponseWriter, r *http.Request) {
				status := 200
				for f := range strings.SplitSeq(c.fields, "|") {
					if name, v, ok := strings.Cut(f, ": "); name == "Status" {
						fmt.Sscan(v, &status)
					} else if ok {
						rw.Header().Set(name, v)
					}
				}
				rw.WriteHeader(status)
				rw.Write([]byte("hello"))
			}, func(w *world, asked *atomic.Int32) {
				first := w.asks("GET", "/", c.first...)
				time.Sleep(10 * time.Second)
				second := w.asks("GET", "/", c.second...)
				what := fmt.Sprintf("%s: %s, %v, %v", front, c.fields, c.first, c.second)
				check(t, what, asked.Load(), c.asked)
				check(t, what+": the same", fmt.Sprint(second.status, second.body), fmt.Sprint(first.status, first.body))
				if c.asked == 1 {
					check(t, what+": Age", second.header.Get("Age"), "10")
					check(t, what+": the log", w.record().Cache.String(), "hit")
				}
			})
		}
	}
}

// A client that already has the kept response gets a 304. A GET's response answers a
// HEAD. Another method, path, host or query is another resource. An unsafe request drops
// the kept response.
func TestCacheAnswers(t *testing.T) {
	t.Parallel()
	for _, front := range fronts {
		cached(t, front, func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Cache-Control", "max-age=600")
			rw.Header().Set("Etag", `"v1"`)
			rw.Header().Set("Last-Modified", "Sat, 01 Jan 2000 00:00:00 GMT")
			fmt.Fprint(rw, r.URL.RequestURI())
		}, func(w *world, asked *atomic.Int32) {
			n := int32(0)
			ask := func(what string, upstream int32, status int, body, method, path string, fields ...string) {
				t.Helper()
				n += upstream
				got := w.asks(method, path, fields...)
				check(t, front+": "+what, fmt.Sprint(got.status, got.body, got.err), fmt.Sprint(status, body, error(nil)))
				check(t, front+": "+what+": asked", asked.Load(), n)
			}
			ask("first", 1, 200, "/a", "GET", "/a")
			ask("second", 0, 200, "/a", "GET", "/a")
			ask("HEAD", 0, 200, "", "HEAD", "/a")
			ask("has it", 0, 304, "", "GET", "/a", "If-None-Match", `"v0", W/"v1"`)
			ask("has another", 0, 200, "/a", "GET", "/a", "If-None-Match", `"v0"`)
			ask("has that of the day", 0, 304, "", "GET", "/a", "If-Modified-Since", "Sat, 01 Jan 2000 00:00:00 GMT")
			ask("has an older one", 0, 200, "/a", "GET", "/a", "If-Modified-Since", "Fri, 31 Dec 1999 00:00:00 GMT")
			ask("query", 1, 200, "/a?x", "GET", "/a?x")
			ask("another path", 1, 200, "/b", "GET", "/b")
			ask("only if cached", 0, 200, "/a", "GET", "/a", "Cache-Control", "only-if-cached")
			n--
			got := w.asks("GET", "/none", "Cache-Control", "only-if-cached")
			n++
			check(t, front+": only if cached, and it is not", got.status, 504)
			ask("a change", 1, 200, "/a", "POST", "/a")
			ask("after it", 1, 200, "/a", "GET", "/a")
			check(t, front+": purged by query", w.pool.Purge(proxy.CacheSelection{Host: "example.COM", Path: "/a?x"}), 1)
			check(t, front+": purged", w.pool.Purge(proxy.CacheSelection{Path: "/a"}), 1)
			ask("after the purge", 1, 200, "/a", "GET", "/a")
			check(t, front+": purged by prefix", w.pool.Purge(proxy.CacheSelection{Host: "EXAMPLE.com", Path: "/", Prefix: true}), 2)
			check(t, front+": of another host", w.pool.Purge(proxy.CacheSelection{Host: "other.com"}), 0)
		})
	}
}

// A stale response is revalidated. If it has not changed, the upstream does not send it
// again.
func TestCacheRevalidates(t *testing.T) {
	t.Parallel()
	for _, front := range fronts {
		version := "v1"
		cached(t, front, func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Cache-Control", "max-age=10")
			rw.Header().Set("Etag", `"`+version+`"`)
			rw.Header().Set("X-Asked", r.Header.Get("If-None-Match"))
			if r.Header.Get("If-None-Match") == `"`+version+`"` {
				rw.WriteHeader(304)
				return
			}
			fmt.Fprint(rw, version)
		}, func(w *world, asked *atomic.Int32) {
			check(t, front+": first", w.get().body, "v1")
			time.Sleep(11 * time.Second)
			got := w.get()
			check(t, front+": unchanged", fmt.Sprint(got.status, got.body, asked.Load()), "200v12")
			check(t, front+": by its tag", got.header.Get("X-Asked"), `"v1"`)
			check(t, front+": in the log", w.record().Cache.String(), "revalidated")
			got = w.get()
			check(t, front+": fresh again", fmt.Sprint(got.body, asked.Load()), "v12")
			time.Sleep(11 * time.Second)
			got = w.asks("GET", "/", "If-None-Match", `"v0"`)
			check(t, front+": a client's own condition", fmt.Sprint(got.status, got.body), "200v1")
			time.Sleep(11 * time.Second)
			version = "v2"
			got = w.get()
			check(t, front+": changed", fmt.Sprint(got.status, got.body), "200v2")
			check(t, front+": and kept", w.get().body, "v2")
		})
	}
}

// Within stale-while-revalidate the client does not wait. A newer response is fetched
// after its answer.
func TestCacheWhileRevalidating(t *testing.T) {
	t.Parallel()
	for _, front := range fronts {
		var n atomic.Int32
		cached(t, front, func(rw http.ResponseWriter, r *http.Request) {
			v := n.Add(1)
			if v > 1 {
				time.Sleep(5 * time.Second)
			}
			rw.Header().Set("Cache-Control", "max-age=10, stale-while-revalidate=30")
			fmt.Fprint(rw, v)
		}, func(w *world, asked *atomic.Int32) {
			check(t, front+": first", w.get().body, "1")
			time.Sleep(15 * time.Second)
			began := time.Now()
			check(t, front+": the older one", w.get().body, "1")
			check(t, front+": at once", time.Since(began), 0)
			time.Sleep(6 * time.Second)
			check(t, front+": the newer one", w.get().body, "2")
			time.Sleep(time.Minute)
			began = time.Now()
			check(t, front+": too old", w.get().body, "3")
			check(t, front+": and waited for", time.Since(began), 5*time.Second)
		})
	}
}

// Only one of many equal requests reaches the application. The others wait for it, for a
// bounded time. For an answer that is not kept, later requests do not wait.
func TestCacheCoalesces(t *testing.T) {
	t.Parallel()
	for _, front := range fronts {
		for _, c := range []struct {
			name, control string
			takes         time.Duration
			asked         int32
			took          time.Duration
		}{
			{"kept", "max-age=60", time.Second, 1, time.Second},
			{"not kept", "no-store", time.Second, 20, 2 * time.Second},
			{"slow", "max-age=60", 8 * time.Second, 20, 13 * time.Second},
		} {
			cached(t, front, func(rw http.ResponseWriter, r *http.Request) {
				time.Sleep(c.takes)
				rw.Header().Set("Cache-Control", c.control)
				rw.Write([]byte("hello"))
			}, func(w *world, asked *atomic.Int32) {
				began := time.Now()
				var wg sync.WaitGroup
				for range 20 {
					wg.Go(func() {
						if got := w.get(); got.status != 200 || got.body != "hello" {
							t.Errorf("%s: %s: got %d %q", front, c.name, got.status, got.body)
						}
					})
				}
				wg.Wait()
				check(t, front+": "+c.name+": asked", asked.Load(), c.asked)
				check(t, front+": "+c.name+": took", time.Since(began), c.took)
				if c.control == "no-store" {
					began = time.Now()
					for range 3 {
						wg.Go(func() { w.get() })
					}
					wg.Wait()
					check(t, front+": "+c.name+": nobody waits", time.Since(began), time.Second)
				}
			})
		}
	}
}

// One user's response is not used for another one, for any identifying field.
func TestCacheTellsUsersApart(t *testing.T) {
	t.Parallel()
	for _, front := range fronts {
		var asked atomic.Int32
		s := setup{front: front, upstreams: specs("app:80")}
		s.pool.Stale = proxy.Stale{MaxSize: 1 << 20, Hits: true, Wait: 5 * time.Second}
		s.pool.Commit.Buffer = 64 << 10
		s.route.Access.Basic = &proxy.BasicAuth{Users: userFile(t, "alice", "bob"), UserHeader: "X-Plan", Hide: true}
		w := start(t, s)
		w.app("app:80", func(rw http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			rw.Header().Set("Cache-Control", "max-age=60")
			rw.Write([]byte(r.Header.Get("X-Plan")))
		})
		for _, user := range []string{"alice", "bob", "alice", "bob"} {
			r := w.request("GET", "/", nil)
			r.SetBasicAuth(user, user)
			check(t, front+": "+user, w.do(r).body, user)
		}
		check(t, front+": without a password", w.get().status, 401)
		check(t, front+": asked", asked.Load(), 2)
	}
}

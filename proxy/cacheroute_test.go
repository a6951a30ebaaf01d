package proxy_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goodgate/goodgate/proxy"
)

// cachedRoute is cached with a route's settings.
func cachedRoute(t *testing.T, front string, c proxy.RouteCache, strip string, app http.HandlerFunc, f func(w *world, asked *atomic.Int32)) {
	t.Helper()
	synctestBubble(t, func(t *testing.T) {
		var asked atomic.Int32
		s := setup{front: front, upstreams: specs("app:80")}
		s.pool.Stale = proxy.Stale{MaxSize: 1 << 20, Hits: true}
		s.pool.Commit.Buffer = 64 << 10
		s.route.Cache, s.route.StripPrefix = c, strip
		w := start(t, s)
		w.inBubble = true
		w.app("app:80", func(rw http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			app(rw, r)
		})
		f(w, &asked)
	})
}

func fresh(rw http.ResponseWriter, r *http.Request) {
	rw.Header().Set("Cache-Control", "max-age=60")
	fmt.Fprint(rw, "hello ", r.URL.Path)
}

// A route can bypass the cache, or add rules to its answers' own.
func TestCacheRoute(t *testing.T) {
	t.Parallel()
	silent := func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/none" {
			rw.WriteHeader(404)
		}
		if r.URL.Path == "/fails" {
			rw.WriteHeader(403)
		}
		fmt.Fprint(rw, "hello")
	}
	cookie := []string{"Cookie", "a=1"}
	for _, front := range fronts {
		for _, c := range []struct {
			name          string
			route         proxy.RouteCache
			app           http.HandlerFunc
			first, second string
			fields        []string // of both responses
			asked         int32    // in two requests, ten seconds apart
		}{
			{"on", proxy.RouteCache{}, fresh, "/", "/", nil, 1},
			{"off", proxy.RouteCache{Off: true}, fresh, "/", "/", nil, 2},
			{"nothing said", proxy.RouteCache{}, silent, "/", "/", nil, 2},
			{"default", proxy.RouteCache{Rules: proxy.CacheRules{Fresh: time.Minute}}, silent, "/", "/", nil, 1},
			{"default over", proxy.RouteCache{Rules: proxy.CacheRules{Fresh: 5 * time.Second}}, silent, "/", "/", nil, 2},
			{"default of a 404", proxy.RouteCache{Rules: proxy.CacheRules{Fresh: time.Minute}}, silent, "/none", "/none", nil, 1},
			{"default of a 403", proxy.RouteCache{Rules: proxy.CacheRules{Fresh: time.Minute}}, silent, "/fails", "/fails", nil, 2},
			{"default and a cookie", proxy.RouteCache{Rules: proxy.CacheRules{Fresh: time.Minute}}, silent, "/", "/", cookie, 2},
			{"longest", proxy.RouteCache{Rules: proxy.CacheRules{Longest: 5 * time.Second}}, fresh, "/", "/", nil, 2},
			{"longest enough", proxy.RouteCache{Rules: proxy.CacheRules{Longest: 15 * time.Second}}, fresh, "/", "/", nil, 1},
			{"body", proxy.RouteCache{Rules: proxy.CacheRules{MaxBody: 6}}, fresh, "/", "/", nil, 2},
			{"body fits", proxy.RouteCache{Rules: proxy.CacheRules{MaxBody: 7}}, fresh, "/", "/", nil, 1},
			{"other query", proxy.RouteCache{IgnoreQuery: []string{"utm_*"}}, fresh, "/?a=1", "/?a=2", nil, 2},
			{"same query", proxy.RouteCache{IgnoreQuery: []string{"utm_*", "fb"}}, fresh, "/?utm_a=1&a=1&fb=2", "/?a=1&fb&utm_b", nil, 1},
			{"only ignored", proxy.RouteCache{IgnoreQuery: []string{"utm_*"}}, fresh, "/?utm_a=1", "/", nil, 1},
			{"any query", proxy.RouteCache{IgnoreQuery: []string{"*"}}, fresh, "/?x", "/?y&z=1", nil, 1},
			{"escaped", proxy.RouteCache{IgnoreQuery: []string{"fb"}}, fresh, "/?%66b=1", "/?%66b=2", nil, 2},
		} {
			cachedRoute(t, front, c.route, "", c.app, func(w *world, asked *atomic.Int32) {
				w.asks("GET", c.first, c.fields...)
				time.Sleep(10 * time.Second)
				w.asks("GET", c.second, c.fields...)
				check(t, front+": "+c.name, asked.Load(), c.asked)
			})
		}
		cachedRoute(t, front, proxy.RouteCache{Rules: proxy.CacheRules{Vary: []string{"X-Device"}}}, "", fresh, func(w *world, asked *atomic.Int32) {
			for _, device := range []string{"phone", "desk", "phone", "desk"} {
				w.asks("GET", "/", "X-Device", device)
			}
			check(t, front+": by a field", asked.Load(), 2)
		})
	}
}

// Clients and upstreams may use different paths for a page.
func TestCachePurgesByEitherPath(t *testing.T) {
	t.Parallel()
	for _, front := range fronts {
		cachedRoute(t, front, proxy.RouteCache{IgnoreQuery: []string{"u"}}, "/shop", fresh, func(w *world, asked *atomic.Int32) {
			for _, c := range []struct {
				s proxy.CacheSelection
				n int
			}{
				{proxy.CacheSelection{Path: "/a"}, 1}, {proxy.CacheSelection{Path: "/shop/a"}, 1}, {proxy.CacheSelection{Path: "/shop/a?u=1"}, 1},
				{proxy.CacheSelection{Path: "/shop/a?u=2"}, 0}, {proxy.CacheSelection{Path: "/sho", Prefix: true}, 0},
				{proxy.CacheSelection{Path: "/shop", Prefix: true}, 1}, {proxy.CacheSelection{Path: "/shop/", Prefix: true}, 1},
				{proxy.CacheSelection{Path: "/other"}, 0}, {proxy.CacheSelection{}, 1},
			} {
				check(t, "stored", w.asks("GET", "/shop/a?u=1").body, "hello /a")
				check(t, fmt.Sprintf("%s: %+v", front, c.s), w.pool.Purge(c.s), c.n)
			}
			state, _ := w.pool.Cache()
			check(t, front+": counted", state.Purged, 6)
		})
	}
}

// A range of a complete kept response needs no upstream. All other ranges do.
func TestCacheRanges(t *testing.T) {
	t.Parallel()
	for _, front := range fronts {
		cachedRoute(t, front, proxy.RouteCache{}, "", func(rw http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Range") != "" {
				rw.WriteHeader(418)
				return
			}
			rw.Header().Set("Etag", `"v1"`)
			fresh(rw, r)
		}, func(w *world, asked *atomic.Int32) {
			whole := w.asks("GET", "/")
			check(t, "whole", whole.body, "hello /")
			for _, c := range []struct{ of, want, part string }{
				{"bytes=0-0", "h", "bytes 0-0/7"}, {"bytes=1-3", "ell", "bytes 1-3/7"}, {"bytes=5-", " /", "bytes 5-6/7"}, {"bytes=5-99", " /", "bytes 5-6/7"},
				{"bytes=-1", "/", "bytes 6-6/7"}, {"bytes=-99", "hello /", "bytes 0-6/7"},
			} {
				got := w.asks("GET", "/", "Range", c.of)
				check(t, front+": "+c.of, fmt.Sprint(got.status, got.body, got.header.Get("Content-Range"), got.header.Get("Etag")), fmt.Sprint(206, c.want, c.part, `"v1"`))
			}
			check(t, front+": asked", asked.Load(), 1)
			check(t, front+": has it", w.asks("GET", "/", "Range", "bytes=0-0", "If-None-Match", `"v1"`).status, 304)
			check(t, front+": HEAD", w.asks("HEAD", "/", "Range", "bytes=0-0").status, 418)
			for _, of := range []string{"bytes=7-", "bytes=3-1", "bytes=0-0,2-2", "bytes=-0", "bytes=-", "items=0-1", "bytes=x-", "bytes= 0-1", "bytes=0-99999999999999999999"} {
				check(t, front+": "+of, w.asks("GET", "/", "Range", of).status, 418)
			}
			check(t, front+": If-Range", w.asks("GET", "/", "Range", "bytes=0-0", "If-Range", `"v1"`).status, 418)
			check(t, front+": still whole", w.asks("GET", "/").body, "hello /")
		})
	}
}

// An unsafe request also drops the resources that its answer names, on this host only.
func TestCacheDropsResourcesNamedInAnswers(t *testing.T) {
	t.Parallel()
	for _, front := range fronts {
		for _, c := range []struct {
			field, value string
			status       int
			asked        int32
		}{
			{"Location", "/list", 303, 1}, {"Location", "http://EXAMPLE.com/list", 201, 1}, {"Content-Location", "list", 200, 1},
			{"Location", "http://other.com/list", 303, 0}, {"Location", "/list", 404, 0}, {"Location", "http://[bad/list", 303, 0}, {"X-Location", "/list", 200, 0},
		} {
			cachedRoute(t, front, proxy.RouteCache{}, "", func(rw http.ResponseWriter, r *http.Request) {
				if r.Method == "POST" {
					rw.Header().Set(c.field, c.value)
					rw.WriteHeader(c.status)
					return
				}
				fresh(rw, r)
			}, func(w *world, asked *atomic.Int32) {
				w.asks("GET", "/list")
				w.asks("POST", "/add")
				before := asked.Load()
				w.asks("GET", "/list")
				check(t, fmt.Sprintf("%s: %d %s: %s", front, c.status, c.field, c.value), asked.Load()-before, c.asked)
			})
		}
	}
}

package proxy_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// An attacker tries to poison the cache: the application puts parts of the request into
// its answer, believes every field, and sends max-age with everything. Others must not
// get that answer.
func TestCacheIsNotPoisoned(t *testing.T) {
	t.Parallel()
	for _, front := range fronts {
		cached(t, front, func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Cache-Control", "max-age=60")
			var b strings.Builder
			for name, values := range r.Header {
				fmt.Fprint(&b, name, values, "\n")
			}
			body := make([]byte, 100)
			n, _ := r.Body.Read(body)
			fmt.Fprint(rw, r.Host, r.RequestURI, b.String(), string(body[:n]))
		}, func(w *world, asked *atomic.Int32) {
			for _, c := range [][]string{
				{"X-Forwarded-Host", "evil"}, {"X-Host", "evil"}, {"X-Forwarded-Server", "evil"}, {"Forwarded", "host=evil"}, {"X-Forwarded-Scheme", "evil"},
				{"X-Original-URL", "/evil"}, {"X-Rewrite-URL", "/evil"}, {"X-HTTP-Method-Override", "evil"}, {"X-Method-Override", "evil"},
				{"X-Forwarded-Prefix", "/evil"}, {"X-Forwarded-Proto", "evil"}, {"X-Forwarded-For", "evil"}, {"X-Forwarded-Port", "evil"}, {"Origin", "http://evil"},
				{"X_Forwarded_Host", "evil"}, {"x-forwarded-HOST", "evil"}, {"True-Client-IP", "evil"}, {"X-Auth-Evil", "evil"},
				{"X-Api-Key", "evil"}, {"Referrer-Host", "evil"},
			} {
				path := "/" + c[0]
				w.asks("GET", path, c...)
				if got := w.asks("GET", path); strings.Contains(got.body, "evil") {
					t.Errorf("%s: what one client got by %s: %s, others get: %q", front, c[0], c[1], got.body)
				}
			}
		})
	}
}

// A GET with a body, another order of parameters and another spelling of a path are
// separate resources.
func TestCacheKeepsTargetsApart(t *testing.T) {
	t.Parallel()
	for _, front := range fronts {
		cached(t, front, func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Cache-Control", "max-age=60")
			body := make([]byte, 100)
			n, _ := r.Body.Read(body)
			fmt.Fprint(rw, r.RequestURI, " ", string(body[:n]))
		}, func(w *world, asked *atomic.Int32) {
			fat := w.request("GET", "/fat", strings.NewReader("evil"))
			check(t, front+": fat", w.do(fat).body, "/fat evil")
			check(t, front+": after the fat", w.asks("GET", "/fat").body, "/fat ")
			fat = w.request("GET", "/fat", strings.NewReader("evil"))
			check(t, front+": fat again", w.do(fat).body, "/fat evil")
			check(t, front+": thin again", w.asks("GET", "/fat").body, "/fat ")
			seen := asked.Load()
			targets := []string{"/a", "/a/", "/A", "/a?", "/a?b&c", "/a?c&b", "/a?b=&c", "/%61", "/a%20", "/a;x=1", "/a.css", "/a/x.css", "/a%3fb"}
			for range 2 {
				for _, target := range targets {
					got := w.asks("GET", target)
					if got.status == 200 && strings.TrimSpace(got.body) != target {
						t.Errorf("%s: %s got %q", front, target, got.body)
					}
				}
			}
			if n := int(asked.Load() - seen); n > len(targets) {
				t.Errorf("%s: %d requests for %d targets", front, n, len(targets))
			}
		})
	}
}

// A path that looks like a file may still be a private page (web cache deception). Only
// the application's fields decide, and they are absent or private.
func TestCacheDeception(t *testing.T) {
	t.Parallel()
	for _, front := range fronts {
		for _, control := range []string{"", "private, max-age=60", "no-store", "no-cache", "max-age=0", "s-maxage=0, max-age=60"} {
			cached(t, front, func(rw http.ResponseWriter, r *http.Request) {
				if control != "" {
					rw.Header().Set("Cache-Control", control)
				}
				fmt.Fprint(rw, "account of ", r.Header.Get("Cookie"))
			}, func(w *world, asked *atomic.Int32) {
				for _, path := range []string{"/account/x.css", "/account/%2e%2e/x.js", "/account;x.png", "/account%00.css", "/account?x.css"} {
					w.asks("GET", path, "Cookie", "user=victim")
					if got := w.asks("GET", path); strings.Contains(got.body, "victim") {
						t.Errorf("%s: %q: %s shows %q", front, control, path, got.body)
					}
				}
			})
		}
	}
}

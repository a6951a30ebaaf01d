package proxy_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/proxy"
)

func staleSetup() setup {
	s := fallbackSetup()
	s.pool.Stale = proxy.Stale{MaxSize: 1 << 20, IfError: time.Hour}
	return s
}

// page is an application that answers until it is closed.
func page(w *world) *http.Server {
	return w.app("app:80", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Cache-Control", "max-age=10")
		io.WriteString(w, "page "+r.URL.RawQuery)
	})
}

// An older response, with its age, replaces every gateway error, and says so.
func TestStaleInsteadOfAnError(t *testing.T) {
	t.Parallel()
	for _, tc := range append(fails, struct {
		name   string
		app    func(w *world)
		kind   reason.Failures
		reason reason.Reason
		sent   bool
	}{"500", func(w *world) {
		w.app("app:80", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
	}, 0, reason.UpstreamStatus, true}) {
		t.Run(tc.name, func(t *testing.T) {
			s := staleSetup()
			s.route.ResponseHeaders.Set = map[string]string{"X-Route": "1"}
			bubble(t, s, func(w *world) {
				app := page(w)
				check(t, "at first", w.send("GET", "/?a", nil).body, "page a")
				app.Close()
				tc.app(w)
				time.Sleep(time.Minute)
				got := w.send("GET", "/?a", nil)
				check(t, "error", got.err, nil)
				check(t, "status", got.status, 200)
				check(t, "body", got.body, "page a")
				for name, want := range map[string]string{"Age": "60", "Cache-Status": "goodgate; hit; ttl=-50; detail=stale-if-error",
					"Content-Type": "text/html", "Content-Length": "6", "X-Route": "1", "Proxy-Status": "", "Warning": ""} {
					check(t, name, got.header.Get(name), want)
				}
				rec := w.record()
				check(t, "absorbed", rec.Absorbed, reason.ByStale)
				check(t, "hidden", rec.Hidden, tc.reason)
				check(t, "reason", rec.Reason, reason.None)
				if tc.reason != reason.ResponseTruncated { // an answer to HEAD cannot be truncated
					head := w.send("HEAD", "/?a", nil)
					check(t, "HEAD", head.header.Get("Content-Length")+head.body, "6")
					check(t, "HEAD absorbed", w.record().Absorbed, reason.ByStale)
				}

				check(t, "POST absorbed", func() reason.Means { w.send("POST", "/?a", nil); return w.record().Absorbed }(), reason.ByNothing)
				w.send("GET", "/?b", nil)
				check(t, "another target absorbed", w.record().Absorbed, reason.ByNothing)
				time.Sleep(time.Hour)
				w.send("GET", "/?a", nil)
				check(t, "when it is too old", w.record().Absorbed, reason.ByNothing)
			})
		})
	}
}

// While an upstream answers, no older response is used, and only errors are replaced.
func TestStaleReplacesOnlyErrors(t *testing.T) {
	t.Parallel()
	bubble(t, staleSetup(), func(w *world) {
		n, status := 0, 200
		w.app("app:80", func(w http.ResponseWriter, _ *http.Request) {
			n++
			w.Header().Set("Cache-Control", "max-age=3600")
			w.WriteHeader(status)
		})
		for range 5 {
			w.get()
		}
		check(t, "asked", n, 5)
		for _, status = range []int{302, 404, 429, 501} {
			check(t, "status", w.get().status, status)
		}
	})
}

// The wait for an upstream is short if there is an older response, and unchanged
// otherwise.
func TestStaleShortensTheHold(t *testing.T) {
	t.Parallel()
	s := staleSetup()
	s.pool.Hold = held
	bubble(t, s, func(w *world) {
		app := page(w)
		w.get()
		app.Close()
		check(t, "body", w.get().body, "page ")
		rec := w.record()
		if rec.Duration > time.Second {
			t.Errorf("with an older answer: took %v, want 1s at most", rec.Duration)
		}
		check(t, "absorbed", rec.Absorbed, reason.ByStale)
		w.send("GET", "/other", nil)
		if got := w.record().Duration; got < 9*time.Second {
			t.Errorf("without: took %v, want to be held for %v", got, held.For)
		}
		go func() {
			time.Sleep(500 * time.Millisecond)
			page(w)
		}()
		check(t, "back within the second", w.get().header.Get("Age"), "")
		check(t, "absorbed", w.record().Absorbed, reason.ByHold)
	})
}

// An older response has precedence over a fallback.
func TestStaleBeforeFallback(t *testing.T) {
	t.Parallel()
	s := staleSetup()
	s.route.Fallback = &proxy.Fallback{Respond: &proxy.Respond{Body: "fallback"}}
	bubble(t, s, func(w *world) {
		app := page(w)
		w.get()
		app.Close()
		check(t, "kept", w.get().body, "page ")
		check(t, "not kept", w.send("GET", "/other", nil).body, "fallback")
		w.app("app:80", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
		check(t, "a 500 is no gateway error", w.send("GET", "/other", nil).status, 500)
	})
}

// A response is not used after a request has changed the resource.
func TestStaleIsForgottenWhenChanged(t *testing.T) {
	t.Parallel()
	for method, want := range map[string]int{"POST": 502, "PUT": 502, "DELETE": 502, "PATCH": 502, "OPTIONS": 200, "GET": 200} {
		bubble(t, staleSetup(), func(w *world) {
			app := page(w)
			w.get()
			w.send(method, "/", nil)
			app.Close()
			check(t, method, w.get().status, want)
		})
	}
}

// A response that is not complete when the answer begins is not kept. One without a
// length is.
func TestStaleKeepsWholeAnswers(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		app  http.HandlerFunc
		want bool
	}{
		"fits":          {func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, strings.Repeat("x", 64<<10-1)) }, true},
		"is too large":  {func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, strings.Repeat("x", 64<<10+1)) }, false},
		"is empty":      {func(w http.ResponseWriter, _ *http.Request) {}, true},
		"has no length": {func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush(); io.WriteString(w, "x") }, true},
		"has a trailer": {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Trailer", "X"); io.WriteString(w, "x") }, false},
		"is a stream": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			io.WriteString(w, "x")
		}, false},
		"dawdles": {func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "x")
			w.(http.Flusher).Flush()
			time.Sleep(time.Second)
		}, false},
		"sets a cookie":  {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Set-Cookie", "a=b") }, false},
		"is for one":     {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Cache-Control", "private") }, false},
		"varies by that": {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Vary", "X-N") }, false},
	} {
		bubble(t, staleSetup(), func(w *world) {
			app := w.app("app:80", tc.app)
			first := w.get()
			app.Close()
			r := w.request("GET", "/", nil)
			r.Header.Set("X-N", "1")
			got := w.do(r)
			check(t, name, got.status == 200, tc.want)
			if tc.want {
				check(t, name, got.body, first.body)
			}
		})
	}
}

// Paths that differ only in their encoding are two resources, with both relays.
func TestStaleKeepsPathsApart(t *testing.T) {
	t.Parallel()
	bubble(t, staleSetup(), func(w *world) {
		app := page(w)
		ask := func(path string) int {
			c := w.dial()
			c.say("GET " + path + " HTTP/1.1\nHost: a\nConnection: close\n\n")
			return c.response(t, nil).StatusCode
		}
		check(t, "stored", ask("/a%2Fb\x80"), 200)
		app.Close()
		time.Sleep(time.Minute)
		check(t, "another path", ask("/a/b%80"), 502)
		check(t, "the same path", ask("/a%2Fb\x80"), 200)
	})
}

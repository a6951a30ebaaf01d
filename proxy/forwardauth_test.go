package proxy_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/proxy"
	"github.com/goodgate/goodgate/reason"
)

// asked is a world whose route asks auth:80. It takes the handler of that service, and
// changes of the setup.
func asked(t *testing.T, front string, f proxy.ForwardAuth, h http.HandlerFunc, run func(w *world), change ...func(*setup)) {
	t.Helper()
	synctestBubble(t, func(t *testing.T) {
		var w *world
		pool, err := proxy.NewPool(balancer.Options{Name: "auth", Policy: "first"}, proxy.PoolOptions{Dial: later(&w), Retry: retries(2), Commit: proxy.Commit{Buffer: 64 << 10}})
		if err != nil {
			t.Fatal(err)
		}
		pool.Update(specs("auth:80"))
		t.Cleanup(func() {
			pool.Update(nil)
			check(t, "leases left in the pool that is asked", pool.InFlight(), 0)
		})
		f.Pool = pool
		s := setup{front: front, upstreams: specs("app:80"), route: proxy.Route{StripPrefix: "/api", Access: proxy.Access{Forward: &f}}}
		for _, c := range change {
			c(&s)
		}
		w = start(t, s)
		w.inBubble = true
		told(w)
		if h != nil {
			w.app("auth:80", h)
		}
		run(w)
	})
}

// The service sees the request's head, but not its body. Its answer decides.
func TestForwardAuth(t *testing.T) {
	t.Parallel()
	for _, front := range fronts {
		var seen http.Header
		var target string
		asked(t, front, proxy.ForwardAuth{
			Path: "/verify?x=1", Copy: []string{"Remote-User", "X-Group"}, Return: []string{"Set-Cookie"},
			Headers: proxy.HeaderEdits{Set: map[string]string{"X-Original-Uri": "{uri}"}},
		}, func(rw http.ResponseWriter, r *http.Request) {
			seen, target = r.Header.Clone(), r.Method+" "+r.RequestURI
			h := rw.Header()
			switch r.Header.Get("X-Say") {
			case "in":
				h.Set("Remote-User", "alice")
				h.Set("Set-Cookie", "s=1")
				rw.WriteHeader(204)
			case "sign in":
				h.Set("Location", "https://login.example.com/")
				h.Set("Set-Cookie", "state=1")
				rw.WriteHeader(302)
				rw.Write([]byte("go there"))
			case "who":
				h.Set("WWW-Authenticate", "Bearer")
				rw.WriteHeader(401)
				rw.Write([]byte("who are you"))
			case "no":
				rw.WriteHeader(403)
			case "limit":
				h.Set("Retry-After", "7")
				rw.WriteHeader(429)
			default:
				rw.WriteHeader(500)
			}
		}, func(w *world) {
			ask := func(say string, body string) answer {
				r := w.request("POST", "/api/x?q=1", strings.NewReader(body))
				r.Header.Set("X-Say", say)
				r.Header.Set("Cookie", "session=7")
				r.Header.Set("If-None-Match", `"x"`)
				r.Header.Set("Range", "bytes=0-1")
				r.Header["Remote-User"] = []string{"root"}
				r.Header["X-Group"] = []string{"admins"}
				r.Header["X_group"] = []string{"admins"}
				for _, name := range []string{"X-Original-Method", "X_original_url", "X-Original-URI", "X-Forwarded-Method", "X-forwarded_uri"} {
					r.Header[name] = []string{"/public"}
				}
				return w.do(r)
			}
			got := ask("in", "body")
			check(t, front+": in", got.status, 200)
			check(t, front+": path upstream", got.header.Get("X-Path"), "/x")
			check(t, front+": user", strings.Join(got.header["Seen-Remote-User"], ","), "alice")
			check(t, front+": what it does not say", len(got.header["Seen-X-Group"]), 0)
			check(t, front+": returned", got.header.Get("Set-Cookie"), "s=1")
			check(t, front+": target", target, "GET /verify?x=1")
			for name, want := range map[string]string{
				"Cookie": "session=7", "X-Forwarded-Method": "POST", "X-Forwarded-Uri": "/api/x?q=1", "X-Forwarded-Host": "example.com", "X-Forwarded-Proto": "http",
				"X-Original-Uri": "/api/x?q=1", "X-Original-Url": "http://example.com/api/x?q=1", "X-Original-Method": "POST",
				"X_original_url": "", "X-forwarded_uri": "", "X-Original-URI": "", "Content-Length": "", "If-None-Match": "", "Range": "", "Remote-User": "", "X-Group": "", "X_group": "", "X-Forwarded-Prefix": "",
			} {
				check(t, front+": "+name, strings.Join(seen[name], ","), want)
			}
			got = ask("sign in", "body")
			check(t, front+": sign in", fmt.Sprint(got.status, got.header.Get("Location"), got.header.Get("Set-Cookie"), got.body), "302https://login.example.com/state=1go there")
			check(t, front+": its reason", w.record().Reason, reason.Unauthorized)
			got = ask("who", "")
			check(t, front+": who", fmt.Sprint(got.status, got.header.Get("WWW-Authenticate"), got.body, got.header.Get("Cache-Control")), "401Bearerwho are youno-store")
			check(t, front+": no", ask("no", "").status, 403)
			got = ask("limit", "")
			check(t, front+": limit", fmt.Sprint(got.status, got.header.Get("Retry-After")), "4297")
			check(t, front+": broken", ask("", "").status, 503)
			check(t, front+": its reason", w.record().Reason, reason.AuthUnavailable)
		})
	}
}

// No request is admitted without an answer of the service: it is down, it does not
// answer, or its answer is truncated.
func TestForwardAuthUnavailable(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]http.HandlerFunc{
		"absent": nil,
		"silent": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"cut": func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Length", "10")
			rw.WriteHeader(401)
			panic(http.ErrAbortHandler)
		},
		"large": func(rw http.ResponseWriter, _ *http.Request) {
			rw.WriteHeader(401)
			rw.Write(make([]byte, 2<<20))
		},
		"switching": func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(504) },
	} {
		asked(t, "inbound", proxy.ForwardAuth{Path: "/", Timeout: 2 * time.Second}, h, func(w *world) {
			got := w.send("GET", "/api/", nil)
			check(t, name, got.status, 503)
			check(t, name+": reason", w.record().Reason, reason.AuthUnavailable)
			check(t, name+": attempts at the application", len(w.record().Attempts), 0)
			if took := w.record().Duration; took > 2*time.Second+100*time.Millisecond {
				t.Errorf("%s: took %v", name, took)
			}
		})
	}
}

// An answer is cached for equal requests, only if it let the client in, and only for its
// time.
func TestForwardAuthCache(t *testing.T) {
	t.Parallel()
	var n atomic.Int32
	asked(t, "inbound", proxy.ForwardAuth{Path: "/", Copy: []string{"Remote-User"}, Cache: 5 * time.Second}, func(rw http.ResponseWriter, r *http.Request) {
		n.Add(1)
		switch c := r.Header.Get("Cookie"); c {
		case "no":
			rw.WriteHeader(403)
		case "uncached":
			rw.Header().Set("Cache-Control", "no-store")
		default:
			rw.Header().Set("Remote-User", c)
		}
	}, func(w *world) {
		ask := func(path, cookie, method string) answer {
			r := w.request(method, "/api"+path, nil)
			r.Header.Set("Cookie", cookie)
			return w.do(r)
		}
		for i, c := range []struct {
			path, cookie, method string
			asked                int32 // total so far
		}{
			{"/", "alice", "GET", 1}, {"/", "alice", "GET", 1}, {"/", "bob", "GET", 2}, {"/", "alice", "GET", 2}, {"/x", "alice", "GET", 3}, {"/", "alice", "DELETE", 4},
			{"/", "no", "GET", 5}, {"/", "no", "GET", 6}, {"/", "uncached", "GET", 7}, {"/", "uncached", "GET", 8}, {"/", "", "GET", 9},
		} {
			got := ask(c.path, c.cookie, c.method)
			if want := c.cookie; got.status == 200 && want != "uncached" && strings.Join(got.header["Seen-Remote-User"], ",") != want {
				t.Errorf("%d: user %v, want %s", i, got.header["Seen-Remote-User"], want)
			}
			check(t, fmt.Sprint(i, ": asked"), n.Load(), c.asked)
		}
		time.Sleep(5 * time.Second)
		ask("/", "alice", "GET")
		check(t, "asked again", n.Load(), 10)
	})
}

// The service gets its own name, the client's, or a chosen one.
func TestForwardAuthHost(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{"": "auth", proxy.HostUpstream: "auth", proxy.HostKeep: "example.com", "login.example": "login.example"} {
		for _, front := range fronts {
			var got string
			asked(t, front, proxy.ForwardAuth{Path: "/", Host: host}, func(_ http.ResponseWriter, r *http.Request) { got = r.Host }, func(w *world) {
				check(t, front+": status", w.send("GET", "/api/", nil).status, 200)
				check(t, front+": host "+host, strings.TrimSuffix(got, ":80"), want)
			})
		}
	}
}

// The record has the outcome of the question, and how long it took.
func TestForwardAuthRecord(t *testing.T) {
	t.Parallel()
	asked(t, "inbound", proxy.ForwardAuth{Path: "/", Cache: time.Minute}, func(rw http.ResponseWriter, r *http.Request) {
		time.Sleep(time.Second)
		switch r.Header.Get("Cookie") {
		case "refused":
			rw.WriteHeader(403)
		case "failed":
			rw.WriteHeader(500)
		}
	}, func(w *world) {
		for i, c := range []struct {
			cookie, want string
			took         time.Duration
			attempts     int
		}{{"in", "admitted", time.Second, 1}, {"in", "cached", 0, 0}, {"refused", "refused", time.Second, 1}, {"failed", "failed", time.Second, 1}} {
			r := w.request("GET", "/api/", nil)
			r.Header.Set("Cookie", c.cookie)
			w.do(r)
			a := w.record().Asked
			if a == nil {
				t.Fatalf("%d: no question in the record", i)
			}
			check(t, fmt.Sprint(i, ": outcome"), a.Outcome.String(), c.want)
			check(t, fmt.Sprint(i, ": took"), a.Took, c.took)
			check(t, fmt.Sprint(i, ": attempts"), len(a.Attempts), c.attempts)
			check(t, fmt.Sprint(i, ": pool"), a.Pool, "auth")
			check(t, fmt.Sprint(i, ": error"), a.Err != nil, c.want == "failed")
		}
	})
}

package gate

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// guard is an authentication service. It admits the cookie session=NAME, whatever else
// the request has.
func guard(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "*" {
			return
		}
		c, err := r.Cookie("session")
		if err != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Remote-User", c.Value)
	}))
	t.Cleanup(s.Close)
	return s
}

// TestHostileIdentity: over every protocol, the application gets the identity of forward
// auth and nothing that a client says about itself.
func TestHostileIdentity(t *testing.T) {
	t.Parallel()
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		var all []string
		for _, h := range []http.Header{r.Header, r.Trailer} {
			for name, values := range h {
				if folded := strings.ToLower(strings.NewReplacer("_", "-", ".", "-").Replace(name)); folded == "remote-user" || folded == "remote-groups" {
					all = append(all, values...)
				}
			}
		}
		slices.Sort(all)
		fmt.Fprint(w, strings.Join(all, ","))
	}))
	t.Cleanup(upstream.Close)
	_, all := startFronts(t, fmt.Sprintf(`
%%s
shutdown: {lame_duck: 0s, grace: 0s}
routes: [{pool: app, access: {forward: {url: %q, copy_headers: [Remote-User, Remote-Groups]}}}]
pools: {app: {upstreams: [%q], health: {type: none}}}
`, guard(t).URL, upstream.URL))
	all.each(func(name string, send trySender) {
		for _, extra := range [][][2]string{
			nil, {{"Remote-User", "root"}}, {{"remote-user", "root"}}, {{"Remote_User", "root"}}, {{"REMOTE.USER", "root"}}, {{"Remote-Groups", "admins"}}, {{"remote_groups", "admins"}},
			{{"Remote-User", "root"}, {"Remote-User", "root"}}, {{"Connection", "Remote-User"}}, {{"Connection", "close, remote-user"}, {"Remote-User", "root"}}, {{"Connection", "remote_user"}},
			{{"X-Forwarded-User", "root"}}, {{"Remote-User", ""}}, {{"Remote-User ", "root"}},
		} {
			r := try{method: "GET", target: "/", host: "www.example", fields: append([][2]string{{"Cookie", "session=alice"}}, extra...)}
			if status, body := send(t, r); status != 0 && status != 400 && (status != 200 || body != "alice") {
				t.Errorf("%s: %v: got %d %q, want alice", name, r, status, body)
			}
			r.fields = r.fields[1:]
			if status, body := send(t, r); status != 0 && status != 400 && status != 401 {
				t.Errorf("%s: %v without a session: got %d %q", name, r, status, body)
			}
		}
		for _, field := range []string{"Remote-User", "remote_user", "Remote-Groups", "Cookie", "Authorization"} {
			r := try{method: "POST", target: "/", host: "www.example", fields: [][2]string{{"Cookie", "session=alice"}}, body: "x", trailer: [][2]string{{field, "root"}}}
			if status, body := send(t, r); status != 0 && status != 400 && body != "alice" {
				t.Errorf("%s: the trailer %s: got %d %q, want alice", name, field, status, body)
			}
			r.fields, r.trailer = nil, [][2]string{{"Cookie", "session=alice"}}
			if status, body := send(t, r); status == 200 {
				t.Errorf("%s: a session in the trailer: got %d %q", name, status, body)
			}
		}
		twice := try{method: "GET", target: "/", host: "www.example", fields: [][2]string{{"Cookie", "session=alice"}, {"Authorization", "Bearer a"}, {"Authorization", "Bearer b"}}}
		if status, body := send(t, twice); status == 200 {
			t.Errorf("%s: two credentials: got %d %q", name, status, body)
		}
		huge := try{method: "GET", target: "/", host: "www.example", fields: [][2]string{{"Authorization", strings.Repeat("a", 1<<20)}}}
		if status, body := send(t, huge); status == 200 {
			t.Errorf("%s: a credential of 1 MiB: got %d %q", name, status, body)
		}
	})
}

// TestRefusedReachNobody: a refused request reaches neither the application nor a mirror, a
// fallback, a side of a split, the cache or older answers.
func TestRefusedReachNobody(t *testing.T) {
	t.Parallel()
	var reached atomic.Int64
	serve := func() string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			reached.Add(1)
			w.Header().Set("Cache-Control", "max-age=60")
			if r.URL.Path == "/cached/public" {
				w.Header().Set("Cache-Control", "public, max-age=60")
			}
			fmt.Fprint(w, "secret of ", r.Header.Get("Remote-User"), r.Header.Get("Cookie"))
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	service := guard(t)
	_, all := startFronts(t, fmt.Sprintf(`
%%s
shutdown: {lame_duck: 0s, grace: 0s}
routes:
  - {match: {path: "/mirrored*"}, pool: app, mirror: spare, access: {forward: {url: %[1]q}}}
  - {match: {path: "/falls*"}, pool: gone, fallback: {pool: spare}, access: {forward: {url: %[1]q}}}
  - {match: {path: "/fixed*"}, pool: gone, fallback: {respond: {status: 200, body: secret}}, access: {forward: {url: %[1]q}}}
  - {match: {path: "/split*"}, split: {pools: [{pool: app, weight: 1}, {pool: spare, weight: 1}]}, access: {forward: {url: %[1]q}}}
  - {match: {path: "/cached*"}, pool: cached, access: {forward: {url: %[1]q}}}
  - {match: {path: "/named*"}, pool: cached, access: {forward: {url: %[1]q, copy_headers: Remote-User}}}
  - {match: {path: "/page*"}, pool: app, intercept: [401], access: {forward: {url: %[1]q}}}
  - {match: {path: "/answer*"}, respond: {body: secret}, access: {forward: {url: %[1]q}}}
  - {match: {path: "/moved*"}, redirect: {to: "/secret"}, access: {forward: {url: %[1]q}}}
  - {match: {path: "/cors*"}, pool: app, cors: "https://good.example", access: {forward: {url: %[1]q}}}
  - {match: {path: "/network*"}, pool: cached, access: {deny: [127.0.0.0/8, "::1"], forward: {url: %[1]q}}}
pools:
  app: {upstreams: [%[2]q], health: {type: none}}
  spare: {upstreams: [%[3]q], health: {type: none}}
  cached: {upstreams: [%[2]q], health: {type: none}, cache: true, stale: {max_size: 1MiB}}
  gone: {upstreams: ["http://127.0.0.1:1"], health: {type: none}, retry: {attempts: 1}}
`, service.URL, serve(), serve()))
	paths := []string{"/mirrored", "/falls", "/fixed", "/split", "/cached", "/named", "/page", "/answer", "/moved", "/cors", "/network"}
	short := os.Getenv("GOODGATE_LONG") == ""
	all.each(func(name string, send trySender) {
		methods := []string{"GET", "HEAD", "POST", "OPTIONS", "PUT"}
		if short && name != "HTTP/1.1" {
			methods = []string{"OPTIONS"} // GOODGATE_LONG=1 tries all
		}
		refused := func(when string, fields ...[2]string) {
			t.Helper()
			before := reached.Load()
			for _, path := range paths {
				for _, method := range methods {
					r := try{method: method, target: path, host: "www.example", fields: fields}
					status, body := send(t, r)
					if status != 0 && (status < 400 && method != "OPTIONS" || strings.Contains(body, "secret")) {
						t.Errorf("%s, %s: %s %s: got %d %q", name, when, method, path, status, body)
					}
				}
			}
			if n := reached.Load() - before; n != 0 {
				t.Errorf("%s, %s: %d requests reached an application", name, when, n)
			}
		}
		refused("at first")
		for _, path := range []string{"/cached", "/named"} {
			ask := func(user, want string) {
				t.Helper()
				status, body := send(t, try{method: "GET", target: path, host: "www.example", fields: [][2]string{{"Cookie", "session=" + user}}})
				if status != 0 && (status != 200 || !strings.Contains(body, want)) {
					t.Errorf("%s: %s as %s: got %d %q, want the answer for %s", name, path, user, status, body, want)
				}
			}
			ask("alice", "alice")
			ask("alice", "alice")
			ask("bob", "bob")
			ask("alice", "alice")
		}
		first := fmt.Sprint("first of ", name)
		for _, user := range []string{first, "second"} {
			r := try{method: "GET", target: "/cached/public?" + strings.ReplaceAll(name, " ", ""), host: "www.example", fields: [][2]string{{"Cookie", "session=" + strings.ReplaceAll(user, " ", "")}}}
			if status, body := send(t, r); status != 200 || !strings.Contains(body, strings.ReplaceAll(first, " ", "")) {
				t.Errorf("%s: a public answer as %s: got %d %q, want that of the first", name, user, status, body)
			}
		}
		refused("after others got in")
		refused("a preflight of an origin that may not", [2]string{"Origin", "https://evil.example"}, [2]string{"Access-Control-Request-Method", "GET"})
		refused("a preflight of one that may", [2]string{"Origin", "https://good.example"}, [2]string{"Access-Control-Request-Method", "GET"})
		refused("only from the cache", [2]string{"Cache-Control", "only-if-cached, max-stale=1000"})
	})
}

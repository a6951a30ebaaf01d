package proxy_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"

	"github.com/goodgate/goodgate/proxy"
)

func TestResponseRewrites(t *testing.T) {
	t.Parallel()
	rewrites := &proxy.ResponseRewrites{
		Location:     []proxy.Rewrite{{From: "http://app:8080/c/", To: "/api/"}, {From: "http://app:8080/", To: "/"}},
		CookieDomain: []proxy.Rewrite{{From: "app.internal", To: "example.com"}},
		CookiePath:   []proxy.Rewrite{{From: "/c/", To: "/api/"}, {From: "/", To: "/x/"}},
	}
	for _, tc := range []struct{ name, sent, want string }{
		{"Location", "http://app:8080/c/x?y=1", "/api/x?y=1"},
		{"Location", "http://app:8080/other", "/other"},
		{"Location", "http://app:80801/c/", "http://app:80801/c/"},
		{"Location", "HTTP://app:8080/c/", "HTTP://app:8080/c/"},
		{"Location", "/c/x", "/c/x"},
		{"Refresh", "5; url=http://app:8080/c/x", "5; url=/api/x"},
		{"Refresh", "5;URL=http://app:8080/", "5;URL=/"},
		{"Refresh", `5; url="http://app:8080/c/x"`, `5; url="/api/x"`},
		{"Refresh", "5; url= 'http://app:8080/'", "5; url= '/'"},
		{"Refresh", "5; url=", "5; url="},
		{"Refresh", "5", "5"},
		{"Content-Location", "http://app:8080/c/x", "http://app:8080/c/x"},
		{"Set-Cookie", "a=path=/c/; Path=/c/d; HttpOnly", "a=path=/c/; Path=/api/d; HttpOnly"},
		{"Set-Cookie", "a=b; path=/", "a=b; path=/x/"},
		{"Set-Cookie", "a=b; DOMAIN=.App.Internal;Secure", "a=b; DOMAIN=.example.com;Secure"},
		{"Set-Cookie", "a=b; Domain=app.internal.evil", "a=b; Domain=app.internal.evil"},
		{"Set-Cookie", "a=b", "a=b"},
		{"Set-Cookie", "", ""},
	} {
		for _, front := range []string{"inbound", "inbound-httputil", "net/http"} {
			s := setup{front: front, upstreams: specs("a:1")}
			s.route.Rewrites = rewrites
			w := start(t, s)
			w.app("a:1", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set(tc.name, tc.sent)
				w.Header().Add("Set-Cookie", "last=1")
			})
			res := w.send("GET", "/", nil)
			got := res.header.Values(tc.name)
			if len(got) == 0 || got[0] != tc.want {
				t.Errorf("%s: %s: %q: got %q, want %q", front, tc.name, tc.sent, got, tc.want)
			}
			if c := res.header.Values("Set-Cookie"); c[len(c)-1] != "last=1" {
				t.Errorf("%s: %s: the other cookie is %q", front, tc.name, c)
			}
		}
	}
}

// Expressions replace the whole text, flags are set and removed, and variables have the
// request's values, with both relays.
func TestResponseRewritesByExpression(t *testing.T) {
	t.Parallel()
	re := regexp.MustCompile
	rewrites := &proxy.ResponseRewrites{
		Location: []proxy.Rewrite{
			{Regexp: re(`^http://app-(\d+)/(.*)$`), To: "/$2?app=$1"}, {Regexp: re(`(?i)gone`), To: "/away"},
			{From: "http://other/", To: "{scheme}://{host}/{query:a}/"},
		},
		CookieDomain: []proxy.Rewrite{{Regexp: re(`(?i)^(.+)\.internal$`), To: "$1.example.com"}, {From: "*.b", To: "x"}, {From: "app", To: "{host}"}},
		CookiePath:   []proxy.Rewrite{{Regexp: re(`^/v\d(/.*)$`), To: "$1"}},
		CookieFlags: []proxy.CookieFlags{
			{Name: "all", Secure: proxy.SetFlag, HTTPOnly: proxy.SetFlag, SameSite: "Lax"},
			{Name: "none", Secure: proxy.RemoveFlag, HTTPOnly: proxy.RemoveFlag, SameSite: "-"},
			{Regexp: re("^se"), Secure: proxy.SetFlag}, {Name: "*", HTTPOnly: proxy.SetFlag},
		},
	}
	for _, tc := range []struct{ name, sent, want string }{
		{"Location", "http://app-7/x/y", "/x/y?app=7"},
		{"Location", "https://h/GONE/x", "/away"},
		{"Location", "http://other/x", "http://example.com:81/$1/x"},
		{"Refresh", "5; url=http://app-7/$0", "5; url=/$0?app=7"},
		{"Set-Cookie", "all=1; Path=/v1/x", "all=1; Path=/x; Secure; HttpOnly; SameSite=Lax"},
		{"Set-Cookie", "all=1;secure; samesite=None ;HTTPONLY; Max-Age=1", "all=1; Max-Age=1; Secure; HttpOnly; SameSite=Lax"},
		{"Set-Cookie", "none=secure;Secure; SameSite; httponly", "none=secure"},
		{"Set-Cookie", "session=1; Domain=.A.Internal", "session=1; Domain=.A.example.com; Secure"},
		{"Set-Cookie", "x=1; Domain=app", "x=1; Domain=example.com; HttpOnly"},
		{"Set-Cookie", "x", "x; HttpOnly"},
	} {
		for _, front := range []string{"inbound", "inbound-httputil", "net/http"} {
			s := setup{front: front, upstreams: specs("a:1")}
			s.route.Rewrites = rewrites
			w := start(t, s)
			w.app("a:1", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set(tc.name, tc.sent) })
			if got := w.raw("GET /?a=$1 HTTP/1.1\nHost: example.com:81\n\n").header.Get(tc.name); got != tc.want {
				t.Errorf("%s: %s: %q: got %q, want %q", front, tc.name, tc.sent, got, tc.want)
			}
		}
	}
}

func TestRewritePath(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ strip, regexp, to, in, want string }{
		{"", `^/v1/(.*)$`, "/internal/$1", "/v1/a/b?q=1", "/internal/a/b?q=1"},
		{"", `^/v1/(.*)$`, "/internal/$1", "/v2/a%2Fb", "/v2/a%2Fb"},
		{"", `^/v1/(.*)$`, "/$1", "/v1/a%20b", "/a%20b"},
		{"/api", `^/(\w+)/(\d+)$`, "/$2/$1", "/api/users/7", "/7/users"},
		{"", `^/(.*)$`, "$1", "http://example.com//evil.example/x", "/evil.example/x"},
		{"", `^/up/(?P<rest>.*)`, "/${rest}x", "/up/a", "/ax"},
	} {
		s := setup{}
		s.route.StripPrefix = tc.strip
		s.route.RewritePath = &proxy.RewritePath{Regexp: regexp.MustCompile(tc.regexp), To: tc.to}
		_, sent := echo(t, s)
		r := sent(httptest.NewRequest("GET", tc.in, nil))
		if r == nil || r.RequestURI != tc.want {
			t.Errorf("%+v: got %+v", tc, r)
		}
	}
}

// A rewrite never makes a path that climbs above the root.
func TestRewritePathDoesNotClimb(t *testing.T) {
	t.Parallel()
	s := setup{upstreams: specs("a:1")}
	s.route.RewritePath = &proxy.RewritePath{Regexp: regexp.MustCompile(`^/files-(.*)$`), To: "/$1"}
	w := start(t, s)
	w.app("a:1", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.RequestURI) })
	for _, path := range []string{"/files-..", "/files-../etc"} {
		if res := w.send("GET", path, nil); res.status != http.StatusBadRequest {
			t.Errorf("%s: got %d", path, res.status)
		}
	}
}

func TestVariablesInRequestHeaders(t *testing.T) {
	t.Parallel()
	s := setup{}
	s.route.RequestHeaders = proxy.HeaderEdits{
		Set: map[string]string{"X-Real-Ip": "{client_ip}", "X-All": "{method} {scheme}://{host}{uri}", "X-Id": "{request_id}", "X-Plain": "{other} {}"},
		Add: map[string]string{"X-Host": "{host}"},
	}
	_, sent := echo(t, s)
	r := httptest.NewRequest("GET", "http://example.com/a%2Fb?c={host}", nil)
	r.RemoteAddr = "10.1.2.3:4"
	got := sent(r).Header
	want := map[string]string{"X-Real-Ip": "10.1.2.3", "X-All": "GET http://example.com/a%2Fb?c={host}", "X-Id": got.Get("X-Request-Id"), "X-Plain": "{other} {}", "X-Host": "example.com"}
	for name, value := range want {
		if got.Get(name) != value || value == "" {
			t.Errorf("%s: got %q, want %q", name, got.Get(name), value)
		}
	}
}

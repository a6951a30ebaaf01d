package proxy_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/proxy"
)

// A client's data arrives once, in the fields that a route sets from it. A variable
// without a value sets no field.
func TestVariablesOfRequests(t *testing.T) {
	t.Parallel()
	s := setup{}
	s.route.Match.PathRegexp = regexp.MustCompile("^/u/([^/]+)/(.*)$")
	s.route.RequestHeaders = proxy.HeaderEdits{
		Set: map[string]string{
			"X-Path": "{path}{query}", "X-Group": "{2}-{1}-{3}", "X-Arg": "<{query:a}>", "X-Cookie": "{cookie:c}", "X-Head": "{header:x-in}",
			"X-None": "{header:x-none}", "X-Gone": "{cookie:none}{query:none}", "X-Upstream": "{upstream}", "X-Plain": "{header}{0}{query:}",
		},
	}
	_, sent := echo(t, s)
	r := httptest.NewRequest("GET", "/u/a%20b/c?a=%0d{host}&a=2", nil)
	r.Header = http.Header{"Cookie": {"c={host}"}, "X-In": {"{cookie:c}"}, "X-None": {}, "X-Gone": {"mine"}, "X-Upstream": {"mine"}}
	got := sent(r).Header
	for name, value := range map[string]string{
		"X-Path": "/u/a%20b/c?a=%0d{host}&a=2", "X-Group": "c-a%20b-", "X-Arg": "<%0d{host}>", "X-Cookie": "{host}", "X-Head": "{cookie:c}",
		"X-None": "", "X-Gone": "", "X-Upstream": "", "X-Plain": "{header}{0}{query:}",
	} {
		if got.Get(name) != value || value == "" && len(got[name]) > 0 {
			t.Errorf("%s: got %q, want %q", name, got[name], value)
		}
	}
}

// With both relays, the response fields that a route sets describe the request and the
// upstream that answered.
func TestVariablesOfResponses(t *testing.T) {
	t.Parallel()
	for _, front := range []string{"inbound", "inbound-httputil", "net/http"} {
		s := setup{front: front, upstreams: specs("nobody:80", "app:80")}
		s.pool.Retry = retries(2)
		s.route.ResponseHeaders = proxy.HeaderEdits{
			Set: map[string]string{"X-Tried": "{upstreams}", "X-By": "{upstream}", "Access-Control-Allow-Origin": "{header:Origin}", "X-App": "{header:none}"},
			Add: map[string]string{"Vary": "{header:Origin}"},
		}
		w := start(t, s)
		w.app("app:80", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-App", "1")
			io.WriteString(w, "ok")
		})
		res := w.raw("GET / HTTP/1.1\nHost: a\nOrigin: https://a.example\n\n")
		for name, want := range map[string]string{"X-By": "app:80", "Access-Control-Allow-Origin": "https://a.example", "Vary": "https://a.example", "X-App": ""} {
			if got := res.header.Get(name); got != want {
				t.Errorf("%s: %s: got %q, want %q", front, name, got, want)
			}
		}
		if got := res.header.Get("X-Tried"); got != "nobody:80, app:80" && got != "app:80" {
			t.Errorf("%s: X-Tried: got %q", front, got)
		}
		if res := w.get(); res.header.Values("Vary") != nil {
			t.Errorf("%s: without Origin: Vary is %q", front, res.header.Values("Vary"))
		}
	}
}

// The proxy's own errors have the fields of ErrorHeaders, and no others.
func TestErrorHeaders(t *testing.T) {
	t.Parallel()
	for _, front := range []string{"inbound", "inbound-httputil", "net/http"} {
		s := setup{front: front, upstreams: specs("nobody:80")}
		s.pool.Retry = retries(1)
		s.route.ResponseHeaders.Set = map[string]string{"X-Response": "1"}
		s.route.ErrorHeaders = proxy.HeaderEdits{Set: map[string]string{"Access-Control-Allow-Origin": "{header:Origin}", "X-Tried": "{upstreams}", "Cache-Control": "private"}}
		w := start(t, s)
		for head, want := range map[string]string{"": "text/plain; charset=utf-8", "Accept: text/html\n": "text/html; charset=utf-8"} {
			h := w.raw("POST / HTTP/1.1\nHost: a\nOrigin: o\nContent-Length: 0\n" + head + "\n").header
			got := h.Get("Content-Type") + " " + h.Get("Access-Control-Allow-Origin") + " " + h.Get("X-Tried") + " " + h.Get("Cache-Control") + h.Get("X-Response")
			if got != want+" o nobody:80 private" {
				t.Errorf("%s: %q: got %q", front, head, got)
			}
		}
	}
}

// A fixed answer may contain variables.
func TestRespondVariables(t *testing.T) {
	t.Parallel()
	rt := proxy.Route{Respond: &proxy.Respond{Body: "{method} {client_ip} {query:a} {other} {}\n"}}
	w := start(t, setup{route: rt})
	for range 2 {
		if got := w.send("GET", "/?a={host}", nil).body; !strings.HasSuffix(got, " {host} {other} {}\n") || !strings.HasPrefix(got, "GET ") {
			t.Errorf("got %q", got)
		}
	}
}

// Variables in a redirect keep their place in the URL, and cannot change the host.
func TestRedirectVariables(t *testing.T) {
	t.Parallel()
	host := start(t, setup{route: proxy.Route{Match: proxy.Match{HostRegexp: regexp.MustCompile(`^www\.(.+)$`)}, Redirect: &proxy.Redirect{To: "https://{1}{uri}#{hostname}"}}})
	if got := host.raw("GET /a?b HTTP/1.1\nHost: WWW.Example.com:81\n\n").header.Get("Location"); got != "https://example.com/a?b#www.example.com" {
		t.Errorf("by host: got %q", got)
	}
	for asked, want := range map[string]string{"[::1]": "https://[::1]/a", "[::1]:8080": "https://[::1]/a", "[2001:DB8::1]:80": "https://[2001:db8::1]/a", "a.:80": "https://a/a"} {
		for _, to := range []string{"https://{hostname}{uri}", "https://{1}{uri}"} {
			w := start(t, setup{route: proxy.Route{Match: proxy.Match{HostRegexp: regexp.MustCompile(`^(.+)$`)}, Redirect: &proxy.Redirect{To: to}}})
			if got := w.raw("GET /a HTTP/1.1\nHost: " + asked + "\n\n").header.Get("Location"); got != want {
				t.Errorf("%s for %s: got %q, want %q", to, asked, got, want)
			}
		}
	}
	for _, tc := range []struct{ re, to, target, want string }{
		{"^/old/([0-9]+)/(.*)$", "/new/{2}?id={1}", "/old/7/a%20b?x=1", "/new/a%20b?id=7"},
		{"^/old/([0-9]+)/(.*)$", "https://{host}/{2}{query}", "/old/7/a?x=1", "https://example.com/a?x=1"},
		{"^/(.*)$", "/{1}", "//evil.example/", "/evil.example/"},
		{"^/(.*)$", "/{1}", "/a%0d%0aX:%20y", ""},
		{"^/go(.*)$", "{1}", "/go//evil.example", "/evil.example"},
		{"", "{scheme}://{host}{uri}", "/a?b=c", "http://example.com/a?b=c"},
		{"", "/login?next={query:next}&x", "/?next=%2Fa%26b", "/login?next=%2Fa%26b&x"},
		{"^/(a)(z)?$", "/x{2}{9}", "/a", "/x"},
	} {
		rt := proxy.Route{Redirect: &proxy.Redirect{To: tc.to}}
		if tc.re != "" {
			rt.Match.PathRegexp = regexp.MustCompile(tc.re)
		}
		w := start(t, setup{route: rt})
		if got := w.send("GET", tc.target, nil).header.Get("Location"); got != tc.want {
			t.Errorf("%+v: got %q", tc, got)
		}
	}
}

// The fields and the body of a fixed answer may contain variables, on a route and as a
// fallback, over both relays. The body escapes them by its type.
func TestFixedAnswerVariables(t *testing.T) {
	t.Parallel()
	answer := func(kind string) *proxy.Respond {
		return &proxy.Respond{Status: 503, Body: "<p>{query:a} {upstream}", Headers: map[string]string{"Content-Type": kind, "X-Path": "{path}", "X-Empty": "{header:X-None}", "X-Bad": "{header:X-A}", "X-From": "{upstream}"}}
	}
	for _, front := range []string{"inbound", "inbound-httputil", "net/http"} {
		for _, fallback := range []bool{false, true} {
			for kind, want := range map[string]string{
				"text/html":       "<p>a%22&lt;b ",
				"text/plain":      `<p>a%22<b `,
				"{header:Accept}": `<p>a%22<b `,
			} {
				s := setup{front: front, upstreams: specs("nobody:80")}
				s.pool.Retry = retries(1)
				from := ""
				if s.route.Respond = answer(kind); fallback {
					s.route.Fallback, s.route.Respond, from = &proxy.Fallback{Respond: answer(kind)}, nil, "nobody:80"
				}
				w := start(t, s)
				res := w.raw("GET /x%20y?a=a%22<b HTTP/1.1\nHost: a\nAccept: text/html\nX-A: b\n\n")
				h := res.header
				if res.body != want+from || h.Get("X-Path") != "/x%20y" || h.Values("X-Empty") != nil || h.Get("X-Bad") != "b" || h.Get("X-From") != from || h.Get("Content-Type") != kind {
					t.Errorf("%s, fallback %t, %s: got %q, %v", front, fallback, kind, res.body, h)
				}
			}
		}
	}
}

package proxy_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/proxy"
)

// The application interprets the query. Browsers and scripts send characters in it that a
// path may not have (PavlidisLab/Gemma#1214).
func TestQueryIsUnchanged(t *testing.T) {
	t.Parallel()
	for query, status := range map[string]int{
		`q=\d+`: 200, `a=\\host\share&b=..\x`: 200, `q=/../\`: 200, `q="<>^{|}[]` + "`": 200, "q=100%": 200, "q=%zz%00%0a": 200, "q=a?b?c": 200, "q=\xff\xc3\xbc": 200, ";;&&=": 200,
		"q#c": 400, "q=\x01": 400, "q=\x7f": 400,
	} {
		for _, form := range []string{"", "http://example.com"} {
			w := start(t, setup{upstreams: specs("app:80")})
			var got string
			w.app("app:80", func(_ http.ResponseWriter, r *http.Request) { got = r.RequestURI })
			target, want := "/p?"+query, ""
			if status == 200 {
				want = target
			}
			check(t, fmt.Sprintf("status of %s%q", form, target), w.raw("GET "+form+target+" HTTP/1.1\nHost: example.com\n\n").status, status)
			check(t, "target", got, want)
		}
	}
	w := start(t, setup{upstreams: specs("app:80")})
	for _, target := range []string{`/a\b`, `/\?q`, `http://example.com\a/`, `http://example.com\@evil.example/?q`} {
		check(t, fmt.Sprintf("status of %q", target), w.raw("GET "+target+" HTTP/1.1\nHost: example.com\n\n").status, 400)
	}
}

// A path without rules reaches the upstream byte for byte, whatever its encoding
// (golang/go#73549, caddyserver/caddy#643), with both relays. Rules leave the rest of a
// path unchanged.
func TestPathIsUnchanged(t *testing.T) {
	t.Parallel()
	for _, path := range []string{
		"/a%2Fb|c", "/a%2fb|c", `/a%2Fb"c`, "/a%2Fb{c}", "/a%3Fb^c", "/%41|`", "/a;b|c%3B", "/a[b]%5B", "/a%2F", "/a//b%2F", "/a%252F|", "/a%20%7C<>", "/a%5Cb",
	} {
		for name, tc := range map[string]struct{ line, fields, strip, add string }{
			"plain":            {line: path},
			"a whole URL":      {line: "http://example.com" + path},
			"with a query":     {line: path + `?q=%2F|\`},
			"httputil's relay": {line: path, fields: "Connection: upgrade\nUpgrade: x\n"},
			"stripped":         {line: "/strip" + path, strip: "/strip"},
			"added":            {line: path, add: "/prefix"},
		} {
			s := setup{upstreams: specs("app:80"), front: "inbound"}
			s.route.StripPrefix, s.route.AddPrefix = tc.strip, tc.add
			w := start(t, s)
			target := ""
			w.script("app:80", func(c *wire) {
				if r := c.header(); r != nil {
					target = r.RequestURI
					c.say("HTTP/1.1 204 No Content\n\n")
				}
			})
			want := tc.add + strings.TrimPrefix(strings.TrimPrefix(tc.line, "http://example.com"), tc.strip)
			check(t, name+": status of "+path, w.raw("GET "+tc.line+" HTTP/1.1\nHost: example.com\n"+tc.fields+"\n").status, 204)
			check(t, name, target, want)
		}
	}
}

// An empty path becomes "/" (phly/http#26, python/cpython#132741). For OPTIONS it stands
// for the server (RFC 9112, section 3.2.4).
func TestEmptyPath(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ line, path, add, want string }{
		{"GET http://example.com", "/", "", "/"},
		{"GET http://example.com", "/*", "", "/"},
		{"GET http://example.com", "", "", "/"},
		{"GET http://example.com?q=1", "/*", "", "/?q=1"},
		{"GET http://example.com?", "/", "", "/?"},
		{"GET http://example.com", "/*", "/v1", "/v1/"},
		{"POST http://example.com", "/*", "", "/"},
		{"OPTIONS http://example.com", "", "", "*"},
		{"OPTIONS http://example.com", "", "/v1", "*"},
		{"OPTIONS http://example.com?q", "/*", "", "/?q"},
		{"OPTIONS http://example.com/", "/*", "", "/"},
	} {
		s := setup{upstreams: specs("app:80")}
		s.route.Match.Path, s.route.AddPrefix = tc.path, tc.add
		w := start(t, s)
		got := ""
		w.script("app:80", func(c *wire) {
			if r := c.header(); r != nil {
				got = r.RequestURI
				c.say("HTTP/1.1 204 No Content\n\n")
			}
		})
		name := fmt.Sprintf("%s to route %q", tc.line, tc.path)
		check(t, name+": status", w.raw(tc.line+" HTTP/1.1\nHost: example.com\nContent-Length: 0\n\n").status, 204)
		check(t, name, got, tc.want)
	}
}

// A redirect contains the path of the request.
func TestEmptyPathIsRedirected(t *testing.T) {
	t.Parallel()
	w := start(t, setup{route: proxy.Route{Redirect: &proxy.Redirect{To: "https://{host}{path}{query}"}}})
	check(t, "location", w.raw("GET http://example.com?q HTTP/1.1\nHost: example.com\n\n").header.Get("Location"), "https://example.com/?q")
}

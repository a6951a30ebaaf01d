package proxy_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/proxy"
)

func TestPathAndQuery(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ strip, add, in, want string }{
		{"", "", "/", "/"},
		{"", "", "/a%2Fb//c/../d;x?a=1;b=%zz&c", "/a%2Fb//c/../d;x?a=1;b=%zz&c"},
		{"", "", "//a", "//a"},
		{"", "", "/?", "/?"},
		{"", "", "/%C3%A9%20", "/%C3%A9%20"},
		{"/api", "", "/api/x", "/x"},
		{"/api", "", "/api", "/"},
		{"/api/", "", "/api/x", "/x"},
		{"/api", "", "/apix", "/apix"},
		{"/api", "", "/other", "/other"},
		{"/api", "", "/api/a%2Fb?q=%2F", "/a%2Fb?q=%2F"},
		{"/api", "", "/%61pi/a%2Fb", "/a%2Fb"},
		{"/api", "", "/api%2Fx", "/api%2Fx"},
		{"", "/v1", "/x", "/v1/x"},
		{"", "/v1", "/a%2Fb", "/v1/a%2Fb"},
		{"", "/ü", "/a%2Fb", "/%C3%BC/a%2Fb"},
		{"/api", "/v1", "/api/x%2Fy", "/v1/x%2Fy"},
		{"/a", "/b", "/a", "/b"},
		{"/a", "/b", "/a?q", "/b?q"},
		{"/a", "/b", "/%61", "/b"},
		{"/a", "/b", "/a/", "/b/"},
		{"/a/", "/b/", "/a", "/b"},
		{"/a/", "/b/", "/a/x", "/b/x"},
		{"/a", "/", "/a", "/"},
		{"/a", "/", "/a/x", "/x"},
		{"/a", "/b", "/", "/b/"},
		{"", "/b", "/", "/b/"},
		{"", "/b/", "/x%2Fy", "/b/x%2Fy"},
		{"", "/b/", "/%78", "/b/%78"},
	} {
		s := setup{}
		s.route.StripPrefix, s.route.AddPrefix = tc.strip, tc.add
		_, sent := echo(t, s)
		r := httptest.NewRequest("GET", "/", nil)
		var err error
		if r.URL, err = url.Parse("http://example.com" + tc.in); err != nil {
			t.Fatal(err)
		}
		if got := sent(r).RequestURI; got != tc.want {
			t.Errorf("strip %q add %q: %s: got %s, want %s", tc.strip, tc.add, tc.in, got, tc.want)
		}
	}
}

func TestHostModes(t *testing.T) {
	t.Parallel()
	for mode, want := range map[string]string{"": "example.com", proxy.HostUpstream: "app", "fixed.example": "fixed.example"} {
		s := setup{}
		s.route.Host = mode
		_, sent := echo(t, s)
		check(t, "Host with "+mode, sent(httptest.NewRequest("GET", "/", nil)).Host, want)
	}
}

// The default port of a scheme is left out of Host, as in health checks
// (Infisical/agent-vault#195, envoyproxy/envoy#4832).
func TestHostUpstreamWithoutDefaultPort(t *testing.T) {
	t.Parallel()
	for want, spec := range map[string]balancer.Spec{
		"app.example":      {Addr: "10.0.0.1:80", Name: "app.example"},
		"app.example:443":  {Addr: "10.0.0.1:443", Name: "app.example"},
		"app.example:8080": {Addr: "10.0.0.1:8080", Name: "app.example"},
		"10.0.0.1":         {Addr: "10.0.0.1:80"},
		"[::1]":            {Addr: "[::1]:80"},
		"[::1]:81":         {Addr: "[::1]:81"},
		"localhost":        {Addr: "unix:/run/app"},
	} {
		s := setup{upstreams: []balancer.Spec{spec}}
		s.route.Host = proxy.HostUpstream
		w := &world{}
		s.pool.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return w.net.DialContext(ctx, "tcp", "app:80")
		}
		w = start(t, s)
		w.app("app:80", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Host) })
		check(t, "Host of "+spec.Addr, w.get().body, want)
	}
}

// Each upstream gets its own name, also after a retry.
func TestHostUpstreamAfterARetry(t *testing.T) {
	t.Parallel()
	s := setup{upstreams: specs("nobody:80", "app:80")}
	s.pool.Retry = retries(2)
	s.route.Host = proxy.HostUpstream
	w := start(t, s)
	w.app("app:80", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Host) })
	check(t, "Host", w.get().body, "app")
}

func TestHopByHopHeaders(t *testing.T) {
	t.Parallel()
	w := start(t, setup{upstreams: specs("app:80")})
	var got http.Header
	w.script("app:80", func(c *wire) {
		r, _ := c.request()
		got = r.Header
		c.say("HTTP/1.1 200 OK\nContent-Length: 0\nConnection: X-Secret\nX-Secret: 1\nKeep-Alive: timeout=5\nProxy-Authenticate: x\nX-Kept: 1\n\n")
	})
	a := w.raw("GET / HTTP/1.1\nHost: example.com\nConnection: X-Private, keep-alive\nX-Private: 1\nKeep-Alive: 1\nTE: gzip\nProxy-Authorization: x\nUpgrade: h2c\nX-Kept: 1\n\n")
	for _, name := range []string{"Connection", "X-Private", "Keep-Alive", "Te", "Proxy-Authorization", "Upgrade", "X-Secret", "Proxy-Authenticate"} {
		check(t, "request's "+name, len(got[name]), 0)
		check(t, "response's "+name, len(a.header[name]), 0)
	}
	check(t, "request's X-Kept", got.Get("X-Kept"), "1")
	check(t, "response's X-Kept", a.header.Get("X-Kept"), "1")
	check(t, "request's User-Agent", got.Get("User-Agent"), "")
}

func TestHeaderEdits(t *testing.T) {
	t.Parallel()
	edits := proxy.HeaderEdits{Remove: []string{"x-gone", "X-Moved"}, Set: map[string]string{"x-set": "new", "X-Moved": "back"}, Add: map[string]string{"X-Added": "2"}}
	s := setup{upstreams: specs("app:80")}
	s.route.RequestHeaders, s.route.ResponseHeaders = edits, edits
	w := start(t, s)
	var request http.Header
	w.app("app:80", func(w http.ResponseWriter, r *http.Request) {
		request = r.Header
		for name, v := range map[string]string{"X-Gone": "1", "X-Set": "old", "X-Added": "1", "X-Moved": "1"} {
			w.Header().Set(name, v)
		}
	})
	r := w.request("GET", "/", nil)
	r.Header = http.Header{"X-Gone": {"1"}, "X-Set": {"old"}, "X-Added": {"1"}, "X-Moved": {"1"}}
	for what, h := range map[string]http.Header{"response": w.do(r).header, "request": request} {
		got := fmt.Sprint(h["X-Gone"], h["X-Set"], h["X-Added"], h["X-Moved"])
		check(t, what, got, "[] [new] [1 2] [back]")
	}
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		match   proxy.Match
		yes, no []string // "METHOD host path header"
	}{
		{"zero value", proxy.Match{}, []string{"GET example.com / -", "POST [::1]:80 /x -"}, nil},
		{"host", proxy.Match{Hosts: []string{"example.com"}},
			[]string{"GET example.com / -", "GET EXAMPLE.com:8080 / -", "GET example.com. / -", "GET example.com.:80 / -"},
			[]string{"GET www.example.com / -", "GET example.org / -", "GET xexample.com / -"}},
		{"wildcard", proxy.Match{Hosts: []string{"*.example.com"}},
			[]string{"GET www.example.com / -", "GET a.b.Example.com:1 / -"},
			[]string{"GET example.com / -", "GET .example.com / -", "GET xexample.com / -"}},
		{"exact path", proxy.Match{Path: "/a"}, []string{"GET x /a -", "GET x /a?q -"}, []string{"GET x /a/ -", "GET x /ab -", "GET x /A -"}},
		{"path prefix", proxy.Match{Path: "/a/*"}, []string{"GET x /a/ -", "GET x /a/b/c -", "GET x /%61/b -"}, []string{"GET x /a -", "GET x /ab -"}},
		{"method", proxy.Match{Methods: []string{"GET", "HEAD"}}, []string{"GET x / -", "HEAD x / -"}, []string{"POST x / -"}},
		{"header", proxy.Match{Headers: map[string]string{"x-a": "1"}}, []string{"GET x / 1", "GET x / 2,1"}, []string{"GET x / -", "GET x / 12"}},
		{"any header", proxy.Match{Headers: map[string]string{"X-A": "*"}}, []string{"GET x / 1"}, []string{"GET x / -"}},
		{"all conditions", proxy.Match{Hosts: []string{"a", "b"}, Path: "/p*", Methods: []string{"PUT"}, Headers: map[string]string{"X-A": ""}},
			[]string{"PUT b /path 1"}, []string{"PUT c /path 1", "PUT b /x 1", "GET b /path 1", "PUT b /path -"}},
	} {
		p, err := proxy.New(proxy.Options{Routes: []proxy.Route{
			{Match: tc.match, Respond: &proxy.Respond{Status: 200}},
			{Respond: &proxy.Respond{Status: 404}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		f := func(line string, want int) {
			t.Helper()
			part := strings.Fields(line)
			r := httptest.NewRequest(part[0], part[2], nil)
			r.Host = part[1]
			if part[3] != "-" {
				r.Header["X-A"] = strings.Split(part[3], ",")
			}
			w := httptest.NewRecorder()
			p.ServeHTTP(w, r)
			if w.Code != want {
				t.Errorf("%s: %s: got %d, want %d", tc.name, line, w.Code, want)
			}
		}
		for _, line := range tc.yes {
			f(line, 200)
		}
		for _, line := range tc.no {
			f(line, 404)
		}
	}
}

func TestRedirect(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		to       string
		status   int
		target   string
		location string
		want     int
	}{
		{"https://{host}{path}{query}", 0, "/a%2Fb?x=1;y", "https://example.com/a%2Fb?x=1;y", 308},
		{"/new", 302, "/old?x", "/new", 302},
		{"https://other{path}", 301, "/%09X:%201", "https://other/%09X:%201", 301},
		{"{path}", 301, "//evil.example/x", "/evil.example/x", 301},
	} {
		w := start(t, setup{route: proxy.Route{Name: "r", Redirect: &proxy.Redirect{To: tc.to, Status: tc.status}}})
		got := w.send("GET", tc.target, nil)
		check(t, "status", got.status, tc.want)
		check(t, "location", got.header.Get("Location"), tc.location)
		check(t, "route", w.record().Route, "r")
	}
}

func TestRespond(t *testing.T) {
	t.Parallel()
	s := setup{route: proxy.Route{Respond: &proxy.Respond{Status: 418, Body: "teapot", Headers: map[string]string{"content-type": "text/plain"}}}}
	s.route.ResponseHeaders.Set = map[string]string{"X-A": "1"}
	w := start(t, s)
	got := w.get()
	check(t, "answer", fmt.Sprint(got.status, got.body, got.header.Get("Content-Type"), got.header.Get("X-A")), "418teapottext/plain1")
	got = w.send("HEAD", "/", nil)
	check(t, "HEAD", fmt.Sprint(got.status, got.body, got.err), "418<nil>")
}

func TestRouteNeedsOneDestination(t *testing.T) {
	t.Parallel()
	for _, rt := range []proxy.Route{{Name: "x"}, {Name: "x", Redirect: &proxy.Redirect{}, Respond: &proxy.Respond{}}} {
		if _, err := proxy.New(proxy.Options{Routes: []proxy.Route{rt}}); err == nil || !strings.Contains(err.Error(), "route x") {
			t.Errorf("got error %v, want one that names the route", err)
		}
	}
}

package e2e_test

import (
	"testing"
)

const routed = `
listeners: ["${LISTEN}"]
trusted_proxies: ["${TRUSTED:-192.0.2.0/24}"]
routes:
  - name: old-site
    match: {host: [old.example.com, "*.old.example.com"]}
    redirect: {to: "https://www.example.com{path}{query}", status: 301}
  - name: robots
    match: {path: /robots.txt}
    respond: {body: "User-agent: *\n", headers: {Content-Type: text/plain}}
  - name: teapot
    match: {path: /teapot}
    respond: {status: 418}
  - name: canary
    match: {headers: {X-Env: canary}}
    pool: canary
  - name: reads
    match: {path: "/v1/*", methods: [GET]}
    pool: app
    strip_prefix: /v1
    add_prefix: /internal
    request_headers: {set: {X-Gate: set}, add: {X-Trace: added}, remove: [X-Debug]}
    response_headers: {set: {X-Frame-Options: DENY}, remove: [X-App]}
  - name: named
    match: {path: "/named/*"}
    pool: app
    host: inside.example.com
  - name: upstreams-own-name
    match: {path: "/own/*"}
    pool: app
    host: upstream
  - match: {path: "/rest/*"}
    pool: app
pools:
  app: {upstreams: ["${A}"]}
  canary: {upstreams: ["${B}"]}
`

func TestRoutesWithoutUpstream(t *testing.T) {
	t.Parallel()
	g := startGate(t, routed, "A=http://127.0.0.1:1", "B=http://127.0.0.1:2")
	tests := []struct {
		host, path     string
		status         int
		location, body string
	}{
		{"old.example.com", "/a%2Fb?x=1;y=%zz", 301, "https://www.example.com/a%2Fb?x=1;y=%zz", ""},
		{"www.OLD.example.com:8080", "/", 301, "https://www.example.com/", ""},
		{"gate.test", "/robots.txt", 200, "", "User-agent: *\n"},
		{"gate.test", "/teapot", 418, "", ""},
	}
	for _, test := range tests {
		r := request(t, "GET", "/", "Host: "+test.host)
		r.URL.Opaque = test.path // as it is, %zz included
		a, err := connect(t, g.address).do(r)
		if err != nil {
			t.Fatal(err)
		}
		if a.StatusCode != test.status || a.Header.Get("Location") != test.location || a.body != test.body {
			t.Errorf("%s%s: status %d, Location %q, body %q; want %d, %q, %q", test.host, test.path,
				a.StatusCode, a.Header.Get("Location"), a.body, test.status, test.location, test.body)
		}
	}
	if a := ask(t, g.address, "GET", "/nowhere"); a.StatusCode != 404 || a.Header.Get("Proxy-Status") != `goodgate; error=destination_not_found; details="no_route"` {
		t.Errorf("without a route: status %d, Proxy-Status %q", a.StatusCode, a.Header.Get("Proxy-Status"))
	}
}

func TestRoutesToUpstreams(t *testing.T) {
	t.Parallel()
	main, canary := startApp(t, "go", "main"), startApp(t, "node", "canary")
	g := startGate(t, routed, "A="+main.url(), "B="+canary.url())
	tests := []struct {
		method, path, header     string
		app, route, target, host string
	}{
		{"GET", "/v1/a%2Fb?x=1;y=2", "X-None: x", "main", "reads", "/internal/a%2Fb?x=1;y=2", "gate.test"},
		{"GET", "/v1/x", "X-Env: canary", "canary", "canary", "/v1/x", "gate.test"},
		{"GET", "/named/x", "X-Env: other", "main", "named", "/named/x", "inside.example.com"},
		{"PUT", "/own/x", "X-None: x", "main", "upstreams-own-name", "/own/x", main.address},
		{"GET", "/rest/", "X-None: x", "main", "route-8", "/rest/", "gate.test"},
	}
	for _, test := range tests {
		a := ask(t, g.address, test.method, test.path, test.header)
		e := a.echo(t)
		if e.App != test.app || e.Target != test.target || e.Headers["host"] != test.host {
			t.Errorf("%s %s: at %s %s, Host %s; want %s %s, %s", test.method, test.path,
				e.App, e.Target, e.Headers["host"], test.app, test.target, test.host)
		}
		if got := g.request(a.Header.Get("X-Request-Id")).Route; got != test.route {
			t.Errorf("%s %s: route %s, want %s", test.method, test.path, got, test.route)
		}
	}
	if a := ask(t, g.address, "DELETE", "/v1/x"); a.StatusCode != 404 {
		t.Errorf("a method that no route takes: status %d, want 404", a.StatusCode)
	}
}

func TestHeaderEdits(t *testing.T) {
	t.Parallel()
	a := startApp(t, "go", "main")
	g := startGate(t, routed, "A="+a.url(), "B="+a.url())
	res := ask(t, g.address, "GET", "/v1/", "X-Gate: client", "X-Trace: client", "X-Debug: client",
		"X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https", "X-Request-Id: chosen")
	want := map[string]string{
		"x-gate": "set", "x-trace": "client, added", "x-debug": "",
		"x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "http", "x-forwarded-host": "gate.test",
		"forwarded": "for=127.0.0.1;host=gate.test;proto=http", "via": "1.1 goodgate",
	}
	wantHeaders(t, res.echo(t), want)
	if got := res.Header.Get("X-Frame-Options"); got != "DENY" {
		t.Errorf("X-Frame-Options %q, want what the route sets", got)
	}
	if got := res.Header.Get("X-App"); got != "" {
		t.Errorf("X-App %q, want it removed", got)
	}
	if got := res.Header.Get("X-Request-Id"); got == "chosen" || got == "" {
		t.Errorf("X-Request-Id %q, want goodgate's own: the client is not trusted", got)
	}
}

// goodgate believes a trusted proxy in front, and extends its fields.
func TestTrustedProxy(t *testing.T) {
	t.Parallel()
	a := startApp(t, "go", "main")
	g := startGate(t, routed, "A="+a.url(), "B="+a.url(), "TRUSTED=127.0.0.0/8")
	res := ask(t, g.address, "GET", "/rest/", "X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https", "X-Request-Id: chosen")
	wantHeaders(t, res.echo(t), map[string]string{
		"x-forwarded-for": "203.0.113.9, 127.0.0.1", "x-forwarded-proto": "https", "x-request-id": "chosen",
	})
	if got := res.Header.Get("X-Request-Id"); got != "chosen" {
		t.Errorf("X-Request-Id %q, want that of the proxy", got)
	}
}

func wantHeaders(t *testing.T, e echo, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if got := e.Headers[name]; got != value {
			t.Errorf("the upstream got %s %q, want %q", name, got, value)
		}
	}
}

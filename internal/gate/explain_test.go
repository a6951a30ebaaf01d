//go:build !minimal

package gate

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/proxy"
)

// choice returns one of the texts.
func choice(r *rand.Rand, texts ...string) string { return texts[r.IntN(len(texts))] }

// randomRoutes writes routes with random conditions and actions.
func randomRoutes(r *rand.Rand) string {
	var out strings.Builder
	for i := range 2 + r.IntN(6) {
		var match []string
		for range r.IntN(3) {
			match = append(match, choice(r,
				"path: /a/*", "path: /a", "path: '*.png'", "path_regexp: '^/[ab]/'", "host: a.example", "host: '*.example'", "host_regexp: '^[ab]'",
				"methods: [GET, HEAD]", "methods: [POST]", "headers: {X-One: '1'}", "headers: {X-Dropped: '*'}", "headers: {X-Forwarded-Host: '*'}",
				"header_absent: X-One", "header_prefix: {X-One: '2'}", "query: {q: '1'}", "query_absent: q", "query_regexp: {q: '^[0-9]$'}",
				"cookies: {c: '1'}", "client: 127.0.0.0/8", "client: 192.0.2.0/24", "scheme: https", "port: 1",
				"any: [{path: /a/*}, {headers: {X-One: '1'}}]", "not: [{path: /a/*}, {query: {q: '1'}}]", "not: [{headers: {X-Dropped: '*'}}]"))
		}
		keys := map[string]bool{} // one condition of each kind
		kept := match[:0]
		for _, m := range match {
			if key, _, _ := strings.Cut(m, ":"); !keys[key] {
				keys[key] = true
				kept = append(kept, m)
			}
		}
		action := choice(r, "pool: app", "pool: app", "pool: app, strip_prefix: /a", "pool: app, add_prefix: /p", "pool: app, host: up.example",
			"pool: app, request_headers: {set: {X-Set: s}, remove: [X-One]}", "pool: app, request_query: {set: {q: '9'}}", "pool: app, timeout: 1ms",
			"pool: app, faults: [{delay: 1m}]", "pool: app, faults: [{abort: 418}]", "pool: app, faults: [{abort: 503, headers: {X-One: '1'}}]",
			"pool: rpc", "pool: rpc", "redirect: {to: 'https://b.example{path}'}", "respond: {status: 204}", "pool: app, access: {deny: 127.0.0.1}")
		if strings.Contains(action, "delay") || strings.Contains(action, "1ms") {
			kept = append(kept, "all: [{headers: {X-Never: '1'}}]") // explain does not wait; a request would
		}
		fmt.Fprintf(&out, "  - {name: r%d, match: {%s}, %s}\n", i, strings.Join(kept, ", "), action)
	}
	return out.String()
}

// randomRequest returns a request.
func randomRequest(r *rand.Rand) Question {
	q := Question{Method: choice(r, "GET", "GET", "POST", "HEAD", "DELETE"), Client: netip.MustParseAddr("127.0.0.1"), Header: http.Header{"User-Agent": {"test"}}}
	q.URL = "http://" + choice(r, "a.example", "b.example", "other") + choice(r, "/", "/a", "/a/", "/a/x.png", "/b/%2e%2e", "/a//b", "/a/%2Fb", "/b/c") + choice(r, "", "?q=1", "?q=x&q=1", "?", "?q")
	for range r.IntN(4) {
		name, value, _ := strings.Cut(choice(r, "X-One: 1", "X-One: 22", "X-Dropped: 1", "X-Forwarded-Host: evil", "X-Forwarded-For: 192.0.2.7", "X-Real-Ip: 192.0.2.8", "Cookie: c=1", "Forwarded: for=192.0.2.1", "Connection: X-One"), ": ")
		q.Header.Set(name, value)
	}
	if r.IntN(6) == 0 {
		q.Header.Set("Connection", "Upgrade")
		q.Header.Set("Upgrade", "example")
	}
	return q
}

// outcome is what happens to a request.
type outcome struct {
	route, reason string
	status        int // of goodgate's own answer
	location      string
	got           *Forwarded
}

// steady removes what differs from request to request.
func steady(f *Forwarded) *Forwarded {
	if f == nil {
		return nil
	}
	for _, name := range []string{"X-Request-Id", "Goodgate-Passed", "Content-Length"} {
		f.Header.Del(name)
	}
	return f
}

// TestExplainAgrees: what explain says about a request is what happens to it.
func TestExplainAgrees(t *testing.T) {
	t.Parallel()
	app := new(witness)
	server := httptest.NewUnstartedServer(app)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 7))
		text := fmt.Sprintf(`
listeners: ["127.0.0.1:0"]
%s
drop_headers: [X-Dropped]
shutdown: {lame_duck: 0s, grace: 0s}
routes:
%spools:
  app: {upstreams: [%q], health: {type: none}}
  rpc: {upstreams: [%q], protocol: h2c, health: {type: none}}`, choice(r, "", "trusted_proxies: [127.0.0.1]"), randomRoutes(r), server.URL, server.URL)
		c := parse(t, text)
		records := make(chan outcome, 1)
		g := start(t, c, Options{Observe: []func(*proxy.Record){func(rec *proxy.Record) {
			o := outcome{route: rec.Route, reason: rec.Reason.String()}
			if len(rec.Attempts) == 0 || rec.Reason.String() == "upgrade_unsupported" {
				o.status = rec.Status
			}
			records <- o
		}}})
		for range 8 {
			q := randomRequest(r)
			app.mu.Lock()
			app.got = nil
			app.mu.Unlock()
			location := sendTo(t, g.addrs[0], q)
			want := <-records
			want.got, want.location = steady(app.last()), location
			if want.got != nil {
				want.reason, want.status, want.location = "", 0, ""
			}
			e, err := Explain(t.Context(), c, q)
			if err != nil {
				t.Fatal(err)
			}
			got := outcome{route: e.Route, reason: e.Reason, status: e.Status, location: e.Location, got: steady(e.Forwarded)}
			if want.got != nil && got.got != nil {
				hideSet(want.got, got.got)
			}
			if want.reason == "none" {
				want.reason = ""
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("seed %d: %s %s %v\nexplained %+v %+v\nhappened  %+v %+v\n%s", seed, q.Method, q.URL, q.Header, got, got.got, want, want.got, text)
			}
			for _, v := range e.Routes {
				if v.Matches == (len(v.Unmet) > 0) {
					t.Errorf("seed %d: %s %s %v: route %s matches: %v, although the unmet conditions are %q\n%s", seed, q.Method, q.URL, q.Header, v.Route, v.Matches, v.Unmet, text)
				}
			}
		}
	}
}

// TestExplainOfListener: what depends on the listener, and what takes long.
func TestExplainOfListener(t *testing.T) {
	t.Parallel()
	c := parse(t, `
listeners: ["127.0.0.1:8001", {address: ":8002", name: second}, {address: "unix:/tmp/x.sock", name: local}]
routes:
  - {name: one, match: {port: 8001}, pool: app}
  - {name: two, match: {port: 8002}, pool: app, timeout: 1ms, faults: [{delay: 1m}, {abort: 503, share: 50%}]}
  - {name: rest, pool: app}
pools: {app: {upstreams: ["http://127.0.0.1:1"], retry: {per_try: 1ms}, timeouts: {request: 1ms}}}`)
	for listener, want := range map[string]string{"127.0.0.1:8001": "one", "second": "two", "local": "rest"} {
		e, err := Explain(t.Context(), c, Question{Method: "GET", URL: "http://a.example/", Listener: listener, Client: netip.MustParseAddr("127.0.0.1")})
		if err != nil {
			t.Fatal(err)
		}
		if e.Route != want || e.Forwarded == nil {
			t.Errorf("%s: got route %s, %s", listener, e.Route, e.Reason)
		}
	}
}

// hideSet hides in sent what explain hides.
func hideSet(sent, explained *Forwarded) {
	for name, values := range explained.Header {
		if len(values) == 1 && values[0] == "(set by the route)" && sent.Header.Get(name) != "" {
			sent.Header[name] = values
		}
	}
	if strings.Contains(explained.Target, "q=(set by the route)") {
		sent.Target = strings.ReplaceAll(sent.Target, "q=9", "q=(set by the route)")
	}
}

// sendTo sends a request as it is, and returns the answer's Location.
func sendTo(t *testing.T, address string, q Question) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	rest := strings.TrimPrefix(q.URL, "http://")
	host, target, _ := strings.Cut(rest, "/")
	fmt.Fprintf(conn, "%s /%s HTTP/1.1\r\nHost: %s\r\n", q.Method, target, host)
	q.Header.Write(conn)
	fmt.Fprint(conn, "\r\n")
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: q.Method})
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.Header.Get("Location")
}

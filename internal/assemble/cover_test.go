package assemble

import (
	"context"
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/proxy"
)

// conditions are possible conditions of a route, a few of each kind, so that generated
// routes often cover one another.
var conditions = [][]string{
	{"host: a.test", `host: "*.test"`, `host: [a.test, "*.b.test"]`, `host: [a.test, b.test]`, `host: "*.b.test"`},
	{"scheme: http", "scheme: https", "scheme: any"},
	{"path: /", `path: "/*"`, `path: "/a*"`, "path: /a", `path: "/a/*"`, "path: /a/b", `path: "/a/*/b"`, `path: "*b"`, `path: "/*/b"`, `path: "/a*b*"`, `path: "/a/*/b*"`},
	{"path_regexp: ^/a", "path_regexp: b$", `path_regexp: "(?i)^/A"`},
	{"methods: [GET]", "methods: [GET, POST]", "methods: [OPTIONS]", "methods: [POST]"},
	{`headers: {X-A: "1"}`, `headers: {X-A: "*"}`, `headers: {X-A: ""}`, `headers: {X-A: "2", X-B: "1"}`, `headers: {X-B: "1"}`, `headers: {x-a: "1"}`},
	{`host_regexp: "^a"`, `host_regexp: "test$"`},
	{`header_regexp: {X-A: "^[12]$"}`, `header_regexp: {x-a: "1"}`},
	{`query: {q: "1"}`, `query: {q: "*"}`, `query: {q: "", r: "1"}`},
	{`query_regexp: {q: "^1"}`, `query_regexp: {q: "2"}`},
	{`cookies: {c: "1"}`, `cookies: {c: "*"}`},
	{`cookie_regexp: {c: "1"}`, `cookie_regexp: {C: "1"}`},
	{"client: 10.0.0.0/8", "client: [10.1.0.0/16, 192.0.2.1]", "client: 10.1.0.0/16", "client: [0.0.0.0/0, '::/0']", "client: fd00::/8"},
	{"port: 1", "port: [1, 2]", "port: 2"},
	{"sni: a.test", `sni: "*.test"`, `sni: [a.test, b.test]`},
	{`any: [{path: "/a*"}, {methods: [POST]}]`, `any: [{path: "/a*"}]`, `any: [{headers: {X-A: "1"}}, {scheme: https, path: /b}]`},
	{`not: [{path: "/a/*"}]`, `not: [{path: "/a*"}]`, `not: [{path: "/a/*"}, {scheme: http}]`, `not: [{headers: {X-A: "*"}}]`, `not: [{client: 10.0.0.0/8, methods: [GET]}]`},
	{"listener: one", `listener: ":2"`, "listener: [one, two]", `listener: ":1"`},
}

// asked are the parts of requests. Some match no condition.
var asked = struct{ hosts, targets, methods, values, clients, listeners []string }{
	hosts:     []string{"a.test", "A.test:80", "b.test", "x.b.test", "x.test", "test", "other", "a.test.", ""},
	targets:   []string{"/", "/a", "/A", "/a/", "/a/b", "/ab", "/a%2Fb", "/b", "//a", "*", "http://a.test", "http://b.test/a", "/a/../b", "/a?q=1", "/a/b?q=2&q=1&r=1", "/a/x/b", "/a/x/y/b", "/a/;x/b", "/a/%2e%2e/b", "/?q", "/b?r=1&q=%31"},
	methods:   []string{"GET", "POST", "OPTIONS", "HEAD"},
	values:    []string{"", "1", "2"},
	clients:   []string{"10.0.0.1:1", "10.1.2.3:1", "192.0.2.1:1", "[fd00::1]:1", "[::ffff:10.1.2.3]:1", "@"},
	listeners: []string{":1", ":2", ":3"},
}

func pick(r *rand.Rand, list []string) string { return list[r.IntN(len(list))] }

// routesOf returns a configuration with n routes, each of which answers with its
// number.
func routesOf(r *rand.Rand, n int) string {
	var b strings.Builder
	b.WriteString("listeners: [{address: \":1\", name: one}, {address: \":2\", name: two}, \":3\"]\nroutes:\n")
	for i := range n {
		var match []string
		for _, kind := range conditions {
			if r.IntN(7) == 0 {
				match = append(match, pick(r, kind))
			}
		}
		fmt.Fprintf(&b, "- {match: {%s}, respond: {body: \"%d\"}}\n", strings.Join(match, ", "), i)
	}
	return b.String()
}

// request returns one at random, as a server reads it.
func request(r *rand.Rand) *http.Request {
	target := pick(r, asked.targets)
	q := &http.Request{Method: pick(r, asked.methods), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Host: pick(r, asked.hosts),
		RequestURI: target, Header: http.Header{}, RemoteAddr: pick(r, asked.clients), Body: http.NoBody}
	if target == "*" {
		q.Method, q.URL = "OPTIONS", &url.URL{Path: "*"}
	} else {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			panic(err)
		}
		q.URL = u
		if u.Host != "" {
			q.Host = u.Host
		}
	}
	for _, name := range []string{"X-A", "X-B"} {
		for range r.IntN(3) {
			q.Header.Add(name, pick(r, asked.values))
		}
	}
	for range r.IntN(3) {
		q.Header.Add("Cookie", pick(r, []string{"c=1", "c=2", "C=1", "c=", "d=1; c=1"}))
	}
	if r.IntN(2) == 0 {
		q.TLS = &tls.ConnectionState{ServerName: pick(r, []string{"", "a.test", "B.test", "x.test"})}
	}
	local := net.Addr(&net.TCPAddr{Port: 1 + r.IntN(3)})
	return q.WithContext(context.WithValue(q.Context(), http.LocalAddrContextKey, local))
}

var neverMatches = regexp.MustCompile(`^never matches: routes\[(\d+)\]`)

// covered returns the routes that a check says never match.
func covered(t testing.TB, text string) (*config.Config, map[int]string) {
	t.Helper()
	c, warnings, err := config.Parse("test.yaml", []byte(text), nil)
	if err != nil {
		t.Fatalf("%s\n%v", text, err)
	}
	said := map[int]string{}
	for _, w := range warnings {
		if m := neverMatches.FindStringSubmatch(w.Message); m != nil {
			i, err := strconv.Atoi(strings.Trim(w.Path, "routes[]"))
			if err != nil {
				t.Fatal(w)
			}
			said[i] = m[1]
		}
	}
	return c, said
}

// answerer returns a function that reports the route that answers a request; -1 for none.
func answerer(t testing.TB, c *config.Config) func(*http.Request, string) int {
	t.Helper()
	o, err := Proxy(c, nil, proxy.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := proxy.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return func(q *http.Request, listener string) int {
		w := httptest.NewRecorder()
		p.ServeRequest(w, proxy.NewRequest(q), proxy.Listener{Name: listener})
		if n, err := strconv.Atoi(w.Body.String()); err == nil && w.Code == http.StatusOK {
			return n
		}
		return -1
	}
}

// TestCoveredRoutesNeverMatch: a route that check reports as covered never gets a
// request. check reports the routes behind others with the same or wider conditions.
func TestCoveredRoutesNeverMatch(t *testing.T) {
	t.Parallel()
	told, answered := 0, 0
	for seed := range uint64(1000) {
		r := rand.New(rand.NewPCG(seed, 1))
		text := routesOf(r, 2+r.IntN(4))
		c, said := covered(t, text)
		if len(said) == 0 {
			continue
		}
		told += len(said)
		ask := answerer(t, c)
		for range 200 {
			q, listener := request(r), pick(r, asked.listeners)
			n := ask(q, listener)
			if n >= 0 {
				answered++
			}
			if by, ok := said[n]; ok {
				t.Fatalf("routes[%d] is said to be covered by routes[%s], and answers %s %s of %s from %s on %s, headers %v, TLS %t\n%s",
					n, by, q.Method, q.RequestURI, q.Host, q.RemoteAddr, listener, q.Header, q.TLS != nil, text)
			}
		}
	}
	t.Logf("%d covered routes, %d requests answered", told, answered)
	if told < 200 || answered < 10_000 {
		t.Error("the test has looked at too few")
	}
}

// TestCoveredRoutesAreReported: check reports the routes that are obviously covered.
func TestCoveredRoutesAreReported(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		wide, narrow string
		want         bool
	}{
		{"", "path: /a", true},
		{"", "", true},
		{"scheme: any", "scheme: https", true},
		{"scheme: https", "scheme: http", false},
		{"scheme: http", "", false},
		{`path: "/a*"`, "path: /a/b", true},
		{`path: "/a*"`, `path: "/a/*"`, true},
		{`path: "/a/*"`, `path: "/a*"`, false},
		{`path: "/*"`, "path: /a", true},
		{`path: "/*"`, "", false}, // OPTIONS *
		{`path: "/*"`, "methods: [GET]", true},
		{`host: "*.test"`, "host: a.test", true},
		{`host: "*.test"`, `host: "*.b.test"`, true},
		{`host: "*.b.test"`, "host: b.test", false},
		{"methods: [GET, POST]", "methods: [GET]", true},
		{"methods: [GET]", "methods: [GET, POST]", false},
		{`headers: {X-A: "*"}`, `headers: {x-a: "1"}`, true},
		{`headers: {X-A: "1"}`, `headers: {X-A: "*"}`, false},
		{"client: 10.0.0.0/8", "client: 10.1.0.0/16", true},
		{"client: [0.0.0.0/0, '::/0']", "", false}, // clients of unix sockets have no address
		{"listener: [one, two]", "listener: two", true},
		{"listener: one", "", false},
		{"path_regexp: ^/a", "path_regexp: ^/a", true},
		{"path_regexp: ^/a", "path: /a", false}, // true, and more than is promised
		{"path: /a", "path_regexp: ^/a$", false},
		{`path: "/a/*"`, `path: "/a/*/b"`, true},
		{`path: "/a/*/b"`, `path: "/a/*/b"`, true},
		{`path: "/a/*/b"`, "path: /a/x/b", false}, // true, and more than is promised
		{`path: "*b"`, "", false},
		{"port: [1, 2]", "port: 1", true},
		{"port: 1", "", false},
		{"sni: a.test", "", false},
		{`sni: "*.test"`, "sni: a.test, scheme: https", true},
		{`not: [{path: "/a/*"}]`, `not: [{path: "/a/*"}, {scheme: http}]`, true},
		{`not: [{path: "/a/*"}]`, "path: /b", false}, // true, and more than is promised
		{`not: [{path: "/a/*"}]`, "", false},
		{"", `not: [{path: "/a/*"}]`, true},
		{`any: [{path: /a}, {path: /b}]`, `any: [{path: /a}, {path: /b}], methods: [GET]`, true},
		{`any: [{path: /a}, {path: /b}]`, "", false},
		{"path: /a", `any: [{path: /a}]`, false}, // true, and more than is promised
	} {
		_, said := covered(t, "listeners: [{address: \":1\", name: one}, {address: \":2\", name: two}]\nroutes: [{match: {"+c.wide+"}, respond: {}}, {match: {"+c.narrow+"}, respond: {}}]")
		if _, got := said[1]; got != c.want {
			t.Errorf("%q before %q: told %t, want %t", c.wide, c.narrow, got, c.want)
		}
	}
}

func FuzzCoveredRoutesNeverMatch(f *testing.F) {
	f.Add(uint64(1), uint64(2))
	f.Fuzz(func(t *testing.T, a, b uint64) {
		r := rand.New(rand.NewPCG(a, b))
		text := routesOf(r, 2+r.IntN(4))
		c, said := covered(t, text)
		if len(said) == 0 {
			return
		}
		ask := answerer(t, c)
		for range 200 {
			q, listener := request(r), pick(r, asked.listeners)
			if by, ok := said[ask(q, listener)]; ok {
				t.Fatalf("covered by routes[%s], and answers %s %s\n%s", by, q.Method, q.RequestURI, text)
			}
		}
	})
}

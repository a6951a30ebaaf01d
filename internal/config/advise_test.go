package config

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// checkWarnings compares the warnings about a file with the starts of those expected, each "path: message".
func checkWarnings(t *testing.T, text string, want ...string) {
	t.Helper()
	_, warnings := parse(t, text)
	var got []string
	for _, w := range warnings {
		if w.Line == 0 || w.Column == 0 || w.File != "goodgate.yaml" {
			t.Errorf("no position: %+v", w)
		}
		got = append(got, w.Path+": "+w.Message)
	}
	if !slices.EqualFunc(got, want, strings.HasPrefix) {
		t.Errorf("%s\ngot\n%s\nwant\n%s", text, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// checkPoolWarnings does so for keys in the pool of the minimal file.
func checkPoolWarnings(t *testing.T, keys string, want ...string) {
	t.Helper()
	for i := range want {
		want[i] = "pools.app." + want[i]
	}
	checkWarnings(t, withPool(keys), want...)
}

// The tests of warnings contain every warning once, and similar settings that cause none.
func TestWarningsOfTimesAndRetries(t *testing.T) {
	t.Parallel()
	f := func(text string, want ...string) { t.Helper(); checkWarnings(t, text, want...) }
	pool := func(keys string, want ...string) { t.Helper(); checkPoolWarnings(t, keys, want...) }
	one := func(keys string) string {
		return `{listeners: [":1"], pools: {app: {upstreams: ["http://10.0.0.1"], ` + keys + "}}}"
	}

	pool("retry: {per_try: 5s}, timeouts: {request: 5s}", "retry.per_try: 5s is not shorter than pools.app.timeouts.request 5s")
	pool("retry: {per_try: 2s}, timeouts: {request: 5s}", "retry.per_try: 5 attempts of 2s take longer than pools.app.timeouts.request 5s, which cuts the last ones short: use 1s or less")
	pool("retry: {per_try: 1s}, timeouts: {request: 5s}")
	pool("retry: {per_try: 1s}, timeouts: {dial: 2s}", "timeouts.dial: 2s is longer than retry.per_try 1s")
	pool("retry: {per_try: 500ms}")
	pool("timeouts: {response_header: 5s, request: 5s}", "timeouts.response_header: 5s is not shorter than pools.app.timeouts.request 5s")
	pool("timeouts: {request: 5s}")
	pool("timeouts: {request: 5s}, hold: {for: 5s}", "hold.for: 5s is not shorter than pools.app.timeouts.request 5s")
	pool("timeouts: {request: 31s}", "timeouts.request: shutdown.grace 30s is shorter than pools.app.timeouts.request 31s")
	f(minimal+"shutdown: {grace: 1s}\nroutes: [{pool: app, timeout: 2s}]", "shutdown.grace: shutdown.grace 1s is shorter than routes[0].timeout 2s")
	f(one("retry: {attempts: 2}, hold: {for: 0s}"), "pools.app.retry.attempts: with one upstream")
	f(one("hold: {for: 0s}"), "pools.app.hold.for: with one upstream")
	f(one("retry: {attempts: 2}"))
	f(strings.Replace(one("hold: {for: 0s}"), "10.0.0.1", "a.example.com", 1))
	pool("stale: {if_error: 1h}", "stale.if_error: has no effect without stale.max_size")
	pool("stale: {max_size: 1MiB}, commit: {buffer: 0B}", "stale.max_size: has no effect with commit.buffer 0B")
	pool("stale: {max_size: 1MiB, if_error: 1h}")
	pool("cache: true")
	pool("cache: true, stale: {if_error: 1h}")
	pool("cache: true, commit: {buffer: 0B}", "cache: has no effect with commit.buffer 0B")
	pool("retry: {statuses: [429]}", "retry.statuses: a 4xx")
	pool("retry: {statuses: 5xx}", "retry.statuses: a 500")
	pool("retry: {statuses: 5xx, attempts: 1}")
}

func TestWarningsOfHealth(t *testing.T) {
	t.Parallel()
	pool := func(keys string, want ...string) { t.Helper(); checkPoolWarnings(t, keys, want...) }

	pool("health: {timeout: 3s}", "health.timeout: timeout 3s is longer than interval 2s")
	pool("health: {interval: 500ms}", "health.interval: timeout 1s is longer than interval 500ms")
	pool("health: {fast_interval: 3s}", "health.fast_interval: fast_interval 3s is longer than interval 2s: goodgate uses the interval instead")
	pool("health: {interval: 100ms, timeout: 100ms}")
	pool("health: {path: /, method: HEAD, expect: {body: ok}}", "health.expect.body: the answer to method HEAD has no body")
	pool("health: {path: /, service: x}", "health.service: has no effect with type http")
	pool("health: {service: x}", "health.service: has no effect with type alive")
	pool("health: {type: tcp, service: x}", "health.service: has no effect with type tcp")
	pool("health: {expect: {status: 200}}", "health.expect.status: has no effect with type alive")
	pool("health: {type: grpc, path: /}", "health.path: has no effect with type grpc")
	pool("health: {type: none, rise: 3}", "health.rise: has no effect with type none")
}

func TestWarningsOfPools(t *testing.T) {
	t.Parallel()
	f := func(text string, want ...string) { t.Helper(); checkWarnings(t, text, want...) }
	pool := func(keys string, want ...string) { t.Helper(); checkPoolWarnings(t, keys, want...) }

	pool("breaker: {window: 500ms}", "breaker.window: 500ms is too short")
	pool("breaker: {max_ejected: 100%}", "breaker.max_ejected: breakers may eject all upstreams but one")
	pool("breaker: {consecutive: 0, failure_ratio: 0}", "breaker: without consecutive and failure_ratio")
	pool("policy: sticky", "sticky.secret: not set")
	pool("sticky: {cookie: x}", "sticky.cookie: has no effect with policy peak_ewma")
	pool("hash: {on: path}", "hash.on: has no effect with policy peak_ewma")
	pool("tls: {server_name: x}", "tls.server_name: has no effect: no upstream of the pool is https")
	https := func(tls string) string {
		return strings.Replace(withPool("tls: {"+tls+"}"), "http://", "https://", 1)
	}
	f(https("insecure: true"), "pools.app.tls.insecure: insecure accepts every certificate, even an attacker's")
	f(https("insecure: true, ca: x"), "pools.app.tls.insecure: insecure accepts every certificate, so ca")
	f(https("ca: x"))
	f(`{listeners: [":1"], pools: {app: {upstreams: [{file: x, weight: 2}]}}}`, "pools.app.upstreams[0].weight: has no effect with file")
}

func TestWarningsOfListenersAndRoutes(t *testing.T) {
	t.Parallel()
	f := func(text string, want ...string) { t.Helper(); checkWarnings(t, text, want...) }
	routes := func(list string) string { return minimal + "routes: " + list }

	f(strings.Replace(minimal, `":8080"`, `{address: ":1", mode: "0600", timeouts: {keepalive: 59s}}`, 1),
		"listeners[0].mode: has no effect on a TCP address", "listeners[0].timeouts.keepalive: 59s is shorter than 60s")
	f(routes("[{pool: app}, {match: {path: /x}, pool: app}]"), "routes[1]: never matches: routes[0] (route-1) comes first")
	f(routes("[{match: {path: /x}, pool: app}, {pool: app}]"))
	f(routes("[{match: {scheme: https}, respond: {body: x}}, {match: {scheme: http}, pool: app}]"))
	f(routes("[{match: {scheme: http}, respond: {body: x}}, {match: {scheme: http, path: /x}, pool: app}, {pool: app}]"), "routes[1]: never matches: routes[0]")
	f(routes(`[{match: {listener: ":8080"}, respond: {body: x}}, {pool: app}]`))
	f(routes("[{respond: {body: x}, timeout: 1s, strip_prefix: /a}]"), "pools.app: no route uses this pool",
		"routes[0].timeout: has no effect on a route with respond", "routes[0].strip_prefix: has no effect")
	f(routes("[{redirect: {to: /x}, host: keep}]"), "pools.app: no route", "routes[0].host: has no effect on a route with redirect")
	f(routes(`[{match: {path: "/v2/*"}, strip_prefix: /v1, pool: app}]`), "routes[0].strip_prefix: match.path /v2/* also matches paths that are not below /v1")
	f(routes(`[{match: {path: "/v11/*"}, strip_prefix: /v1, pool: app}]`), "routes[0].strip_prefix: match.path /v11/* also matches")
	f(routes(`[{match: {path: "/v1/*"}, strip_prefix: /v1, pool: app}, {strip_prefix: /x, pool: app}]`))
}

func TestWarningsOfDroppedHeaders(t *testing.T) {
	t.Parallel()
	f := func(text string, want ...string) { t.Helper(); checkWarnings(t, text, want...) }
	match := func(name string) string {
		return minimal + "routes: [{match: {headers: {" + name + ": x}}, pool: app}, {pool: app}]\n"
	}
	f(match("X-Whatever"))
	f(match("X-Forwarded-Host"), "routes[0].match.headers: X-Forwarded-Host never arrives: goodgate drops it")
	f(match("x-real-ip")+"trusted_proxies: [10.0.0.0/8]\n", "routes[0].match.headers: X-Real-Ip never arrives: goodgate drops it")
	f(match("X-Real-IP") + "trusted_proxies: [10.0.0.0/8]\ntrusted_headers: [x-real-ip]\n")
	f(match("X-Forwarded-Proto"), "routes[0].match.headers: X-Forwarded-Proto never arrives: goodgate accepts it only from trusted_proxies")
	f(match("X-Forwarded-Proto") + "trusted_proxies: [10.0.0.0/8]\n")
	f(strings.Replace(match("X-Forwarded-Proto"), ":8080", "unix:/run/x.sock", 1))
	f(match("Proxy") + "drop_headers: []\n")
	rate := "limits: {rates: [{on: 'header:CF-Connecting-IP', requests: 1}]}"
	f(strings.Replace(minimal, `":8080"`, `{address: ":1", `+rate+`}`, 1), "listeners[0].limits.rates[0].on: Cf-Connecting-Ip never arrives")
	f(minimal+"routes: [{pool: app, "+rate+"}]", "routes[0].limits.rates[0].on: Cf-Connecting-Ip never arrives")
	f(withPool(rate), "pools.app.limits.rates[0].on: Cf-Connecting-Ip never arrives")
	f(withPool("policy: hash, hash: {on: 'header:X-Real-IP'}"), "pools.app.hash.on: X-Real-Ip never arrives")
}

func prefixes(list ...string) (all []netip.Prefix) {
	for _, s := range list {
		all = append(all, netip.MustParsePrefix(s))
	}
	return all
}

func TestCovers(t *testing.T) {
	t.Parallel()
	f := func(m, o Match, want bool) {
		t.Helper()
		if got := m.covers(o); got != want {
			t.Errorf("%+v covers %+v: got %t", m, o, got)
		}
	}
	host := func(names ...string) Match { return Match{Host: names} }
	path := func(p string) Match { return Match{Path: p} }
	methods := func(names ...string) Match { return Match{Methods: names} }
	header := func(value string) Match { return Match{Headers: Headers{"X": value}} }

	f(Match{}, Match{}, true)
	f(Match{}, Match{Host: []string{"a"}, Path: "/x", Methods: []string{"GET"}, Headers: Headers{"X": "y"}}, true)
	f(Match{}, Match{Scheme: "https", Listener: []string{"a"}, PathRegexp: "x", Client: prefixes("10.0.0.0/8")}, true)
	f(Match{Scheme: "any"}, Match{Scheme: "http"}, true)
	f(Match{Scheme: "https"}, Match{Scheme: "http"}, false)
	f(Match{Scheme: "https"}, Match{Scheme: "any"}, false)
	f(Match{Listener: []string{"a"}}, Match{}, false)
	f(Match{Listener: []string{"a", "b"}}, Match{Listener: []string{"b"}}, true)
	f(Match{Listener: []string{"a"}}, Match{Listener: []string{"a", "b"}}, false)
	f(Match{PathRegexp: "x"}, Match{PathRegexp: "x", Path: "/y"}, true)
	f(Match{PathRegexp: "x"}, Match{PathRegexp: "xy"}, false)
	f(Match{PathRegexp: "x"}, Match{}, false)
	f(Match{HostRegexp: "x"}, Match{HostRegexp: "x", Path: "/y"}, true)
	f(Match{HostRegexp: "x"}, Match{Host: []string{"x"}}, false)
	f(Match{Client: prefixes("10.0.0.0/8", "::1/128")}, Match{Client: prefixes("10.1.0.0/16", "10.0.0.0/8")}, true)
	f(Match{Client: prefixes("10.1.0.0/16")}, Match{Client: prefixes("10.0.0.0/8")}, false)
	f(Match{Client: prefixes("10.0.0.0/8")}, Match{}, false)
	f(host("a"), Match{}, false)
	f(host("a", "b"), host("b"), true)
	f(host("a"), host("a", "b"), false)
	f(host("*.a.com"), host("x.a.com", "*.y.a.com", "*.a.com"), true)
	f(host("*.a.com"), host("a.com"), false)
	f(host("*.a.com"), host("xa.com"), false)
	f(host("x.a.com"), host("*.a.com"), false)
	f(path("/v1/*"), path("/v1/x"), true)
	f(path("/v1/*"), path("/v1/x/*"), true)
	f(path("/v1/*"), path("/v1"), false)
	f(path("/v1/*"), path("/*"), false)
	f(path("/v1/"), path("/v1/*"), false)
	f(path("/v1"), path("/v1"), true)
	f(path("/*"), path(""), false) // OPTIONS *
	f(path("/*"), Match{Methods: []string{"GET", "HEAD"}}, true)
	f(path("/*"), Match{Methods: []string{"GET", "OPTIONS"}}, false)
	f(path("/v1"), path(""), false)
	f(methods("GET", "HEAD"), methods("GET"), true)
	f(methods("GET"), methods(), false)
	f(methods("GET"), methods("GET", "POST"), false)
	f(Match{Query: Values{"a": "*"}}, Match{Query: Values{"a": "1"}}, true)
	f(Match{Query: Values{"a": "1"}}, Match{Query: Values{"b": "1"}}, false)
	f(Match{Cookies: Values{"a": "1"}}, Match{}, false)
	f(Match{Query: Values{"a": "1"}}, Match{Cookies: Values{"a": "1"}}, false)
	f(Match{HeaderRegexp: Expressions{"A": "x"}}, Match{HeaderRegexp: Expressions{"A": "x", "B": "y"}}, true)
	f(Match{QueryRegexp: Expressions{"a": "x"}}, Match{QueryRegexp: Expressions{"a": "xx"}}, false)
	f(Match{CookieRegexp: Expressions{"a": "x"}}, Match{Cookies: Values{"a": "x"}}, false)
	f(header("a"), header("a"), true)
	f(header(""), header("a"), true)
	f(header("*"), header(""), true)
	f(header("a"), header(""), false)
	f(header("a"), header("b"), false)
	f(header(""), Match{}, false)
	f(header("a"), Match{Headers: Headers{"X": "a", "Y": "b"}}, true)
}

func TestNearest(t *testing.T) {
	t.Parallel()
	known := []string{"policy", "interval", "fast_interval", "on", "tls", "max_in_flight"}
	for word, want := range map[string]string{
		"polcy": "policy", "pilocy": "policy", "Interval": "interval", "fast-interval": "fast_interval", "tsl": "tls",
		"om": "", "x": "", "maxinflight": "max_in_flight", "policies": "", "weight": "", "": "",
		strings.Repeat("x", 100): "", "int": "interval",
	} {
		if got := nearest(word, known); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
}

// Trusted networks that contain the clients let them claim what they want.
func TestWarningsOfTrustInEverybody(t *testing.T) {
	t.Parallel()
	withListener := func(keys string) string {
		return strings.Replace(minimal, `[":8080"]`, `[{address: ":8080", `+keys+"}]", 1)
	}
	for networks, want := range map[string]string{
		"0.0.0.0/0":                        "all public IPv4 addresses (0.0.0.0/0): any client there can ",
		"'::/0'":                           "all public IPv6 addresses (::/0): any client there can ",
		"0.0.0.0/0, '::/0'":                "all public IPv4 addresses and all public IPv6 addresses (0.0.0.0/0, ::/0): ",
		"0.0.0.0/1, 128.0.0.0/1":           "all public IPv4 addresses (0.0.0.0/1, 128.0.0.0/1): ",
		"10.0.0.0/8, 0.0.0.0/0, 0.0.0.0/0": "all public IPv4 addresses (0.0.0.0/0): ",
		"128.0.0.0/2, 192.0.0.0/3, 0.0.0.0/2, 64.0.0.0/2": "at least half of the public IPv4 addresses (128.0.0.0/2, 0.0.0.0/2, 64.0.0.0/2, 1 more): ",
		"0.0.0.0/1":              "at least half of the public IPv4 addresses (0.0.0.0/1): ",
		"'2000::/3'":             "all public IPv6 addresses (2000::/3): ",
		"'::/1', '8000::/1'":     "all public IPv6 addresses (::/1): ",
		"'2000::/4'":             "at least half of the public IPv6 addresses (2000::/4): ",
		"'::ffff:0.0.0.0/96'":    "all public IPv4 addresses (0.0.0.0/0): ",
		"64.0.0.0/2":             "",
		"'2000::/5', 10.0.0.0/8": "",
		"'fc00::/7', 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 127.0.0.1, '::1'": "",
		"": "",
	} {
		var proxies, senders []string
		if want != "" {
			const do = "; list only the networks of the proxies in front of goodgate"
			proxies, senders = []string{"trusted_proxies: contains " + want}, []string{"listeners[0].proxy_protocol: contains " + want}
			if _, warnings := parse(t, minimal+"trusted_proxies: ["+networks+"]\n"); len(warnings) != 1 || !strings.HasSuffix(warnings[0].Message, "can forge X-Forwarded-For, X-Forwarded-Proto, X-Request-Id"+do) {
				t.Errorf("%s: got %v", networks, warnings)
			}
			if _, warnings := parse(t, withListener("proxy_protocol: ["+networks+"]")); len(warnings) != 1 || !strings.HasSuffix(warnings[0].Message, "can claim any address in a PROXY header"+do) {
				t.Errorf("%s: got %v", networks, warnings)
			}
		}
		checkWarnings(t, minimal+"trusted_proxies: ["+networks+"]\n", proxies...)
		checkWarnings(t, withListener("proxy_protocol: ["+networks+"]"), senders...)
	}
	checkWarnings(t, minimal+"trusted_proxies: [0.0.0.0/0]\ntrusted_headers: []\n")
	checkWarnings(t, withListener("proxy_protocol: '::/0'"), "listeners[0].proxy_protocol: contains all public IPv6 addresses (::/0)")
}

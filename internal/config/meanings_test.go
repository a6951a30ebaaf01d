package config

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

// around has valid configurations with room for one more key, by the key's place.
var around = map[string]string{
	"":                             "listeners: [\":8080\"]\npools: {app: {upstreams: [\"http://a\"]}}\nWORD: x\n",
	inPool:                         "listeners: [\":8080\"]\npools: {app: {upstreams: [\"http://a\"], WORD: x}}\n",
	inRoute:                        "listeners: [\":8080\"]\npools: {app: {upstreams: [\"http://a\"]}}\nroutes: [{pool: app, WORD: x}]\n",
	inListener:                     "listeners: [{address: \":8080\", WORD: x}]\npools: {app: {upstreams: [\"http://a\"]}}\n",
	inUpstream:                     "listeners: [\":8080\"]\npools: {app: {upstreams: [{url: \"http://a\", WORD: x}]}}\n",
	"pools.*.timeouts":             "listeners: [\":8080\"]\npools: {app: {upstreams: [\"http://a\"], timeouts: {WORD: x}}}\n",
	"pools.*.retry":                "listeners: [\":8080\"]\npools: {app: {upstreams: [\"http://a\"], retry: {WORD: x}}}\n",
	"pools.*.health":               "listeners: [\":8080\"]\npools: {app: {upstreams: [\"http://a\"], health: {WORD: x}}}\n",
	"pools.*.breaker":              "listeners: [\":8080\"]\npools: {app: {upstreams: [\"http://a\"], breaker: {WORD: x}}}\n",
	"pools.*.tls":                  "listeners: [\":8080\"]\npools: {app: {upstreams: [\"https://a\"], tls: {WORD: x}}}\n",
	"routes[*].match":              "listeners: [\":8080\"]\npools: {app: {upstreams: [\"http://a\"]}}\nroutes: [{match: {WORD: x}, pool: app}]\n",
	"listeners[*].timeouts":        "listeners: [{address: \":8080\", timeouts: {WORD: x}}]\npools: {app: {upstreams: [\"http://a\"]}}\n",
	"listeners[*].tls":             "listeners: [{address: \":8080\", tls: {certificates: [{cert: c, key: k}], WORD: x}}]\npools: {app: {upstreams: [\"http://a\"]}}\n",
	"listeners[*].tls.acme":        "listeners: [{address: \":8080\", tls: {acme: {hosts: a.example, accept_terms: true, WORD: x}}}]\npools: {app: {upstreams: [\"http://a\"]}}\n",
	"listeners[*].limits.rates[*]": "listeners: [{address: \":8080\", limits: {rates: [{requests: 1, WORD: x}]}}]\npools: {app: {upstreams: [\"http://a\"]}}\n",
	"routes[*].limits.rates[*]":    "listeners: [\":8080\"]\npools: {app: {upstreams: [\"http://a\"]}}\nroutes: [{pool: app, limits: {rates: [{requests: 1, WORD: x}]}}]\n",
	"pools.*.limits.rates[*]":      "listeners: [\":8080\"]\npools: {app: {upstreams: [\"http://a\"], limits: {rates: [{requests: 1, WORD: x}]}}}\n",
	"routes[*].mirror":             "listeners: [\":8080\"]\npools: {app: {upstreams: [\"http://a\"]}, b: {upstreams: [\"http://b\"]}}\nroutes: [{pool: app, mirror: {pool: b, WORD: x}}]\n",
	"pools.*.sticky":               "listeners: [\":8080\"]\npools: {app: {upstreams: [\"http://a\"], policy: sticky, sticky: {WORD: x}}}\n",
	"log":                          "listeners: [\":8080\"]\npools: {app: {upstreams: [\"http://a\"]}}\nlog: {WORD: x}\n",
}

// isKey reports whether there is such a key in a configuration.
func isKey(path string) bool {
	t := reflect.TypeFor[Config]()
	for part := range strings.SplitSeq(strings.ReplaceAll(path, "[*]", ".*"), ".") {
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if part == "*" {
			t = t.Elem()
			continue
		}
		found := false
		if t.Kind() == reflect.Struct {
			for _, f := range fieldsOf(t) {
				if found = f.key == part; found {
					t = f.typ
					break
				}
			}
		}
		if !found {
			return false
		}
	}
	return true
}

// TestMeanings: each word of the table, where it counts, is one error that leads to a key that exists, and that is not
// shadowed by another row. A word that is a key there is none for the table.
func TestMeanings(t *testing.T) {
	t.Parallel()
	n := 0
	for _, m := range meanings {
		if !strings.HasPrefix(m.is, " ") && !isKey(m.is) {
			t.Errorf("%s: there is no key %s", m.words, m.is)
		}
		text, ok := around[m.in]
		if !ok {
			t.Errorf("%s: the test has nothing for %q", m.words, m.in)
			continue
		}
		for word := range strings.FieldsSeq(m.words) {
			n++
			_, _, err := Parse("x", []byte(strings.Replace(text, "WORD", word, 1)), nil)
			errs, _ := errors.AsType[Errors](err)
			if len(errs) != 1 || !strings.Contains(errs[0].Message, "unknown key") {
				t.Errorf("%s in %q: want one error, an unknown key: %v", word, m.in, err)
				continue
			}
			last := m.is[strings.LastIndexByte(m.is, '.')+1:]
			if last = strings.ReplaceAll(last, "[*]", "[N]"); !strings.Contains(errs[0].Message, last) {
				t.Errorf("%s in %q: got %v, want it to lead to %s", word, m.in, errs[0], m.is)
			}
		}
	}
	t.Logf("%d words", n)
}

// TestValues: a value that another program has leads to ours.
func TestValues(t *testing.T) {
	t.Parallel()
	for key, words := range values {
		for word, ours := range words {
			f := field{key: key, typ: reflect.TypeFor[string](), enum: []string{ours, "other"}}
			var s string
			if err := f.set(reflect.ValueOf(&s).Elem(), word); err == nil || !strings.Contains(err.Error(), "did you mean "+ours+"?") {
				t.Errorf("%s: %s: got %v", key, word, err)
			}
		}
	}
	_, _, err := Parse("x", []byte(strings.Replace(around[inPool], "WORD: x", "policy: leastconn", 1)), nil)
	if err == nil || !strings.Contains(err.Error(), "did you mean least_conn?") {
		t.Errorf("got %v", err)
	}
}

// TestSuggestions tests the suggestions for words that are or were misleading, and for
// values in another form.
func TestSuggestions(t *testing.T) {
	t.Parallel()
	pool := func(text string) string { return strings.Replace(around[inPool], "WORD: x", text, 1) }
	route := func(text string) string { return strings.Replace(around[inRoute], "WORD: x", text, 1) }
	for _, c := range []struct{ text, want string }{
		{pool("retries: 3"), "pools.app.retries: unknown key (did you mean retry.attempts?)"},
		{pool("timeouts: {connect: 1s}"), "pools.app.timeouts.connect: unknown key (did you mean dial?)"},
		{pool("timeout: 1s"), "pools.app.timeout: unknown key (did you mean timeouts.request?)"},
		{pool("balance: roundrobin"), "pools.app.balance: unknown key (did you mean policy?)"},
		{pool("policy: roundrobin"), "(did you mean round_robin?)"},
		{pool("host: a"), "pools.app.host: unknown key; set host or request_headers.set in a route"},
		{pool("headers: {}"), "pools.app.headers: unknown key; set host or request_headers.set in a route"},
		{pool("statuses: [502]"), "(did you mean breaker.statuses or retry.statuses?)"},
		{pool("rise: 2"), "(did you mean health.rise?)"},
		{pool("connectTimeout: 1s"), "(did you mean timeouts.dial?)"},
		{pool("timeout connect: 1s"), "(did you mean timeouts.dial?)"},
		{pool("healthCheck: {}"), "(did you mean health?)"},
		{route("hold: {for: 1s}"), "routes[0].hold: unknown key (did you mean pools.NAME.hold?)"},
		{route("slow_start: 1s"), "(did you mean pools.NAME.slow_start?)"},
		{pool("strip_prefix: /a"), "(did you mean routes[N].strip_prefix?)"},
		{pool("nonsense: 1"), "unknown key; known here: policy, hash,"},
		{pool("brekaer: {}"), "(did you mean breaker?)"},
		{pool("maxconn: 10"), "pools.app.maxconn: unknown key (did you mean upstreams[N].max_in_flight?)"},
		{route("redirect:/x"), "; a space is missing after the colon of redirect"},
		{"limits: {}\n" + pool("weight: 2"), "limits: unknown key; set limits in a listener, a route or a pool"},
		{"listeners: \":8080\"\npools: {app: {upstreams: [\"http://a\"]}}\n", "listeners: found a single value: expected a list: write [\":8080\"]"},
		{"listeners: 8080\npools: {app: {upstreams: [\"http://a\"]}}\n", "expected a list: write [\":8080\"]"},
		{"listeners: [\":8080\"]\npools: {app: \"http://127.0.0.1:3000\"}\n", "pools.app: found a single value: write {upstreams: [\"http://127.0.0.1:3000\"]}"},
		{"listeners: [\":8080\"]\npools: {app: [\"http://127.0.0.1:3000\"]}\n", "pools.app: found a list: write upstreams: before the list"},
		{"listeners: [\":8080\"]\npools:\n  app:\n  upstreams: [\"http://a\"]\n", "pools.upstreams: upstreams belongs to pools.app: indent it below that name"},
		{"listeners: [\":8080\"]\npools:\n  app:\n  cache: {upstreams: [\"http://a\"]}\nroutes: [{pool: app}]\n", "pools.app: upstreams is missing"},
		{"listeners: [\":8080\"]\npools: {app: {upstreams: \"http://127.0.0.1:3000\"}}\n", "expected a list: write [\"http://127.0.0.1:3000\"]"},
		{route(`match: {host: "http://x.com"}`), "a host has no scheme: write host: x.com, and scheme: http if it matters"},
		{route(`match: {host: "https://*.x.com/a"}`), "write host: *.x.com, and scheme: https if it matters"},
		{route(`match: {host: "x.com:80"}`), "a host has no port here: use match.port"},
		{strings.Replace(around[""], "listeners", "listener", 1), "listener: unknown key (did you mean listeners?)"},
		{strings.Replace(around[inRoute], "pools", "pool", 1), "pool: unknown key (did you mean pools?)"},
		{strings.Replace(around[inPool], "upstreams", "upstreems", 1), "upstreems: unknown key (did you mean upstreams?)"},
		{strings.Replace(around[inPool], "pools", "backends", 1), "backends: unknown key (did you mean pools?)"},
		{"listeners: [\":8080\"]\npools: {app: {servers: [\"http://a\"]}}\n", "servers: unknown key (did you mean upstreams?)"},
		{"listeners: [\":8080\"]\npools: {app: {upstreams: [{address: \"http://a\"}]}}\n", "address: unknown key (did you mean url?)"},
		{"watch: true\n" + strings.Replace(around[""], "WORD: x\n", "", 1), "watch: unknown key; goodgate run --watch reloads when the file changes; goodgate reload and SIGHUP do so once"},
		{"listeners: [\":8080\"]\npools: {app: {upstreams: [{port: 3000}]}}\n", "port: unknown key (did you mean url?)"},
		{pool("tls: {insecure_skip_verify: true}, WORD: x"), "tls.insecure_skip_verify: unknown key (did you mean insecure?)"},
		{strings.Replace(around[inRoute], "pool: app, WORD: x", `redirect: "https://b.example"`, 1), "routes[0].redirect: found a single value: write {to: URL}"},
		{strings.Replace(around[inRoute], "pool: app, WORD: x", "respond: 404", 1), "routes[0].respond: found a single value: write {status: 404}"},
		{"listeners: [\":8080\"]\npools: {app: {upstreams: [\"http://a\"]}}\nroutes: [{backend: app}]\n", "backend: unknown key (did you mean pool?)"},
	} {
		text := strings.ReplaceAll(c.text, ", WORD: x", "")
		text = strings.ReplaceAll(text, "WORD: x\n", "")
		_, _, err := Parse("x", []byte(text), nil)
		errs, _ := errors.AsType[Errors](err)
		if len(errs) == 0 || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s\ngot %v\nwant %s", text, err, c.want)
			continue
		}
		if want := 1 + strings.Count(text, "limits"); len(errs) != want {
			t.Errorf("%s\ngot %d errors for one mistake:\n%v", text, len(errs), err)
		}
	}
}

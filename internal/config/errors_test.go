package config

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/mistakes.txt anew")

// TestMistakes compares every message about a file full of mistakes with those that were read and found good.
func TestMistakes(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/mistakes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = Parse("mistakes.yaml", data, noEnv)
	if err == nil {
		t.Fatal("no errors")
	}
	got := err.Error() + "\n"
	if *update {
		if err := os.WriteFile("testdata/mistakes.txt", []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/mistakes.txt")
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	f := func(text string, want ...string) {
		t.Helper()
		_, _, err := Parse("g.yaml", []byte(text), noEnv)
		if got := fmt.Sprint(err); got != strings.Join(want, "\n") {
			t.Errorf("%.200s\ngot\n%s\nwant\n%s", text, got, strings.Join(want, "\n"))
		}
	}
	f("", "g.yaml:1:1: empty: a configuration needs at least listeners and pools")
	f("# nothing\n", "g.yaml:1:1: empty: a configuration needs at least listeners and pools")
	f("~", "g.yaml:1:1: empty: a configuration needs at least listeners and pools")
	f("a: 1", "g.yaml:1:1: a: unknown key; known here: listeners, trusted_proxies, trusted_headers, drop_headers, admin, log, tracing, metrics, events, zone, state, fleet, shutdown, errors, via, routes, pools, include, defaults",
		"g.yaml:1:1: listeners is missing: write listeners: [\":8080\"]",
		"g.yaml:1:1: pools is missing: define a pool with its upstreams")
	f("[1]", "g.yaml:1:1: found a list: expected a mapping with the keys listeners, trusted_proxies, trusted_headers, drop_headers, admin, log, tracing, metrics, events, zone, state, fleet, shutdown, errors, via, routes, pools")
	f(minimal+"---\na: 1", "g.yaml:5:1: a second document: a file can have only one")
	f("a: [1", "g.yaml:1:4: not valid YAML: the [ is not closed")
	f("log:\n\tlevel: info\n", "g.yaml:2:1: not valid YAML: the line is indented with a tab: use spaces")
	f(strings.Repeat("#", maxBytes+1), "g.yaml: larger than 4MiB")
	f(`listeners: [":8080"]`, "g.yaml:1:1: pools is missing: define a pool with its upstreams")
	f("listeners: [\":8080\"]\npools: {}", "g.yaml:2:8: pools: empty: define a pool with its upstreams")
	f(minimal+"  b: {upstreams: [\"http://b\"]}", "g.yaml:3:1: pools: 2 pools (app, b) and no routes: add routes that choose between them")
	f(strings.Replace(minimal, `":8080"`, `":8080", "[::]:8080", "unix:/a", "unix:/a", ":0", ":0"`, 1),
		`g.yaml:2:22: listeners[1].address: found "[::]:8080": listeners[0] (":8080") has this address already`,
		`g.yaml:2:46: listeners[3].address: found "unix:/a": listeners[2] ("unix:/a") has this address already`)
	two := strings.Replace(minimal, `":8080"`, `{address: ":1", name: a}, {address: ":2", name: NAME}`, 1) + "routes: [{match: {listener: REF}, pool: app}]"
	named := func(name, ref string) string { return strings.NewReplacer("NAME", name, "REF", ref).Replace(two) }
	f(named("a", `":1"`), `g.yaml:2:61: listeners[1].name: found "a": listeners[0] has this name already`)
	f(named("b", `[a, ":2", ":3", c]`), `g.yaml:5:39: routes[0].match.listener[2]: found ":3": no such listener; defined: a, b`,
		`g.yaml:5:45: routes[0].match.listener[3]: found "c": no such listener; defined: a, b`)
	f(named("b", `["http://x"]`), `g.yaml:5:30: routes[0].match.listener[0]: found "http://x": expected the name or the address of a listener`)
	f(strings.NewReplacer(`":1"`, `":0"`, `":2"`, `":0"`).Replace(named("b", "a")), `g.yaml:5:29: routes[0].match.listener[0]: found "a": 2 listeners have the address :0: give each its own port`)
	route := func(text string) string { return minimal + "routes: [{pool: app, " + text + "}]" }
	f(route(`match: {path_regexp: "a(?!b)"}`), `g.yaml:5:43: routes[0].match.path_regexp: found "a(?!b)": not a valid RE2 regular expression: invalid or unsupported Perl syntax: "(?!"`)
	f(route(`rewrite_path: {regexp: "(", to: x}`), `g.yaml:5:45: routes[0].rewrite_path.regexp: found "(": not a valid RE2 regular expression: missing closing ): "("`,
		`g.yaml:5:54: routes[0].rewrite_path.to: found "x": a path must start with /`)
	f(route(`response_rewrites: {location: [{from: "", to: "a\nb"}, {from: x}]}`), `g.yaml:5:60: routes[0].response_rewrites.location[0].from: found "": empty: write the text to replace`,
		`g.yaml:5:68: routes[0].response_rewrites.location[0].to: found "a\nb": a header value must not have line breaks or control characters`,
		`g.yaml:5:77: routes[0].response_rewrites.location[1]: to is missing: write to: /`)
	http3 := func(listener string) string {
		return strings.Replace(minimal, `":8080"`, "{address: "+listener+", http3: {enabled: true}}", 1)
	}
	const certs = "tls: {certificates: [{cert: c, key: k}]}"
	f(http3(`":8080"`), `g.yaml:2:49: listeners[0].http3.enabled: HTTP/3 needs TLS: tls is missing`)
	f(http3(`"unix:/a", `+certs), `g.yaml:2:93: listeners[0].http3.enabled: HTTP/3 needs a UDP port at the listener's address, and "unix:/a" has none`)
	f(http3(`":8080", proxy_protocol: [10.0.0.0/8], `+certs), `g.yaml:2:121: listeners[0].http3.enabled: `+
		`HTTP/3 has no PROXY protocol, so clients could bypass the proxy in front: remove http3 or proxy_protocol`)
	f(withPool("policy: !custom hash"), "g.yaml:4:80: pools.app.policy: tag !custom is not supported: put text that begins with ! in quotes")
	f(withPool("retry: {<<: 3}"), "g.yaml:4:84: pools.app.retry: found \"3\" after <<: expected a mapping, or a list of mappings")
	f(withPool("dns: {max_ttl: 500ms}"), "g.yaml:4:87: pools.app.dns.max_ttl: found 500ms: must not be shorter than min_ttl (1s)")
	f(withPool("health: {path: /, drain_status: 503, expect: {status: [200, 5xx]}}"),
		`g.yaml:4:104: pools.app.health.drain_status: found 503: expect.status has it too, and one status cannot both pass and drain`)
	f(withPool("fallback: other"), `g.yaml:4:82: pools.app.fallback.pool: found "other": no such pool; defined: app`)
	f(withPool("fallback: {pool: apq}"), `g.yaml:4:89: pools.app.fallback.pool: found "apq": no such pool (did you mean app?)`)
	f(withPool("fallback: app"), `g.yaml:4:82: pools.app.fallback.pool: found "app": a pool cannot be its own fallback`)
	f(withPool("fallback: {}"), `g.yaml:4:82: pools.app.fallback: one of pool, respond is missing`)
	f(withPool("fallback: {pool: b, respond: {body: x}}"), `g.yaml:4:82: pools.app.fallback: pool and respond exclude each other: keep one`,
		`g.yaml:4:89: pools.app.fallback.pool: found "b": no such pool; defined: app`)
	f(withPool("fallback: {respond: {status: 204, body: x}}"), `g.yaml:4:112: pools.app.fallback.respond.body: a response with status 204 has no body`)
	f(withPool("fallback: b")+"  b: {upstreams: [\"http://b\"], fallback: app}\nroutes: [{pool: app}]",
		`g.yaml:4:82: pools.app.fallback.pool: found "b": this pool has a fallback itself, and fallbacks cannot be chained: set its fallback on routes instead`,
		`g.yaml:5:42: pools.b.fallback.pool: found "app": this pool has a fallback itself, and fallbacks cannot be chained: set its fallback on routes instead`)
	f(minimal+"routes: [{redirect: {to: /}, fallback: app}]", `g.yaml:5:40: routes[0].fallback: applies to pool only: a redirect or a fixed response cannot fail`)
	f(withPool("hash: {on: header:X, load: 0.5}"), `g.yaml:4:99: pools.app.hash.load: found "0.5": must be from 101% to 1000%, or 0 (unbounded)`)
}

// TestSyntax tests the messages about invalid YAML, and their places.
func TestSyntax(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{"listeners: [\":1\"]\nroutes:\n  - match: {host: *.example.com}\n    pool: app\n", `3:19: not valid YAML: text that begins with * needs quotes`},
		{"listeners: [\":1\"]\nroutes:\n  - match:\n      host: *.example.com\n    pool: app\n", `4:13: not valid YAML: text that begins with * needs quotes`},
		{"pools:\n  app:\n    upstreams: *ups\n", `3:16: not valid YAML: no & defines this anchor; text that begins with * needs quotes`},
		{"a: \"*b\"\nc: *b\n", `2:4: not valid YAML: no & defines this anchor; text that begins with * needs quotes`},
		{"listeners: [:8080]\npools: {app: {upstreams: [\"http://a\"]}}\n", `1:13: not valid YAML: text that begins with : needs quotes`},
		{"via: @me\n", `1:6: not valid YAML: text that begins with @ needs quotes`},
		{"via: `me`\n", "1:6: not valid YAML: text that begins with ` needs quotes"},
		{"log:\n  format: text: x\n", `2:11: not valid YAML: the value has a colon and a space in it, so it needs quotes`},
		{"listeners: [\":1\"\npools:\n  app:\n    upstreams: [\"http://a\"]\n", `1:12: not valid YAML: the [ is not closed`},
		{"listeners: [\":1]\npools:\n  app:\n    upstreams: [\"http://a\"]\n", `1:13: not valid YAML: the " is not closed`},
		{"pools:\n  app: {upstreams: [\"http://a\"], retry: {attempts: 3}\nlog: {level: info}\n", `2:8: not valid YAML: the { is not closed`},
		{"trusted_proxies: [\n  10.0.0.0/8,\n  192.168.0.0/16\npools:\n  app:\n    upstreams: [\"http://a\"]\n", `1:18: not valid YAML: the [ is not closed`},
		{"pools:\n  app:\n    retry: {\n      attempts: 3,\n      statuses: [502]\n    upstreams: [\"http://a\"]\n", `3:12: not valid YAML: the { is not closed`},
		{"{\n  \"listeners\": [\":1\"],\n  \"pools\": {\"app\": {\"upstreams\": [\"http://a\"]}}\n", `1:1: not valid YAML: the { is not closed`},
		{"listeners: [\":1\"}\n", `1:17: not valid YAML: } does not close the [ of column 12`},
		{"listeners: [\":1\"]]\n", `1:18: not valid YAML: the ] closes nothing`},
		{"pools:\n  app\n    upstreams: [\"http://a\"]\n", `2:6: not valid YAML: the colon is missing after app`},
		{"listeners:[\":1\"]\npools: {}\n", `1:10: not valid YAML: a space is missing after the colon of listeners`},
		{"pools:\n  app:\n    upstreams:\n      - \"http://a\"\n      -\"http://b\"\n", `5:7: not valid YAML: a space is missing after the -`},
		{"pools:\n\tapp: {upstreams: [\"http://a\"]}\n", `2:1: not valid YAML: the line is indented with a tab: use spaces`},
		{"routes:\n  - match: {path_regexp: \"^/a\\.b\"}\n    pool: app\n", `2:26: not valid YAML: a \ in double quotes begins an escape: write \\, or use single quotes`},
		{"pools:\n  app:\n    upstreams: [\"http://a\"]\n    policy: hash\n      retry: {attempts: 3}\n      breaker: {enabled: false}\n", `5:7: not valid YAML: line 5 is indented by 6, its siblings by 4`},
		{"pools:\r\n  app:\r\n    policy: hash\r\n   upstreams: [\"http://a\"]\r\n", `4:4: not valid YAML: line 4 is indented by 3, its siblings by 4`},
	} {
		_, _, err := Parse("x", []byte(c.text), noEnv)
		errs, _ := errors.AsType[Errors](err)
		if len(errs) != 1 || errs[0].Error() != "x:"+c.want {
			t.Errorf("%s\ngot %v\nwant x:%s", c.text, err, c.want)
		}
	}
}

// TestAliasBomb checks that the expansion of aliases is counted before it happens.
func TestAliasBomb(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := range 12 {
		fmt.Fprintf(&b, "a%d: &a%d [%s*a%d]\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*a%d, ", i), 9), i)
	}
	for _, text := range []string{b.String(), "a: &a [*a]", "a: &a {<<: *a}", strings.Repeat("[", 100) + strings.Repeat("]", 100)} {
		_, _, err := Parse("x", []byte(text), nil)
		if err == nil || !strings.Contains(err.Error(), "more than 200000 values or 64 levels") {
			t.Errorf("got %v", err)
		}
	}
}

func TestErrorsAreBoundedAndTyped(t *testing.T) {
	t.Parallel()
	_, _, err := Parse("x", []byte(minimal+"trusted_proxies: ["+strings.Repeat("x, ", 500)+"]"), nil)
	errs, ok := errors.AsType[Errors](err)
	if !ok || len(errs) != maxErrors+1 || errs[maxErrors].Message != "and 400 more" {
		t.Errorf("got %d: %v", len(errs), errs[len(errs)-1])
	}
	if first, ok := errors.AsType[Error](err); !ok || first.Line != 5 || first.Path != "trusted_proxies[0]" {
		t.Errorf("got %+v", first)
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"testdata/mistakes.yaml", "../../config.example.yaml"} {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(minimal))
	f.Add([]byte("a: &a {<<: *a}\n? [x]\n: y\n"))
	f.Add([]byte("listeners: !!binary x\npools: {a: {upstreams: {<<: [1]}}}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, _, err := Parse("f", data, noEnv)
		if (c == nil) != (err != nil) {
			t.Fatalf("got %v and %v", c, err)
		}
		errs, _ := errors.AsType[Errors](err)
		lines := strings.Count(strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n").Replace(string(data)), "\n") + 1
		for _, e := range errs {
			if e.Line > lines || e.Column > len(data)+1 || (e.Line > 0) != (e.Column > 0) || strings.Contains(e.Message, "\n") {
				t.Errorf("%d lines: %q", lines, e)
			}
		}
	})
}

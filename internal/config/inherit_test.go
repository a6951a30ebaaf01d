package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

const defaulted = `
listeners: [":8080"]
defaults:
  health: {path: /healthz, headers: {X-Check: all}, rise: 3}
  retry: {attempts: 2, budget: 10%}
  fallback: spare
  hash: {on: path}
  upstreams: ["http://127.0.0.1:9"]
routes: [{match: {path: /a}, pool: a}, {match: {path: /b}, pool: b}, {match: {path: /c}, pool: c}]
pools:
  a:
    upstreams: ["http://127.0.0.1:1"]
    health: {headers: {X-Other: one}}
    retry: {attempts: 4}
  b: {upstreams: ["http://127.0.0.1:2"], health: ~, retry: {<<: {budget: 30%}}, fallback: {respond: {status: 503}}}
  c:
  spare: {upstreams: ["http://127.0.0.1:3"], fallback: {respond: {status: 503}}}
`

func TestDefaults(t *testing.T) {
	t.Parallel()
	_, _, err := Parse("x", []byte(defaulted), noEnv)
	if err == nil {
		t.Fatal("the fallback has a fallback")
	}
	text := strings.Replace(defaulted, "fallback: spare", "fallback: {respond: {status: 500}}", 1)
	c, warnings, err := Parse("x", []byte(text), noEnv)
	if err != nil {
		t.Fatal(err)
	}
	a, b, last := c.Pools["a"], c.Pools["b"], c.Pools["c"]
	for _, check := range []struct{ name, got, want string }{
		{"a", fmt.Sprint(a.Health.Path, a.Health.Type, a.Health.Headers, a.Health.Rise, a.Retry.Attempts, a.Retry.Budget, a.Fallback.Respond.Status), "/healthzhttpmap[X-Other:one] 3 4 10% 500"},
		{"b", fmt.Sprint(b.Health.Path, b.Health.Headers, b.Retry.Attempts, b.Retry.Budget, b.Fallback.Respond.Status), "/healthzmap[X-Check:all] 2 30% 503"},
		{"c", fmt.Sprint(last.Upstreams[0].URL, last.Retry.Attempts), "http://127.0.0.1:92"},
		{"warnings", fmt.Sprint(warnings), "[x:17:10: pools.spare: no route uses this pool: it only gets health checks]"},
	} {
		if check.got != check.want {
			t.Errorf("%s: got %s, want %s", check.name, check.got, check.want)
		}
	}
	if got, want := c.Inherited("a"), []string{"fallback.respond.status", "hash.on[0]", "health.path", "health.rise", "retry.budget"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestDefaultsMistakes: one that concerns all pools is reported once, where it is.
func TestDefaultsMistakes(t *testing.T) {
	t.Parallel()
	const pools = "listeners: [\":8080\"]\nroutes: [{match: {path: /a}, pool: a}, {pool: b}]\npools: {a: {upstreams: [\"http://127.0.0.1:1\"]}, b: {upstreams: [\"http://127.0.0.1:2\"]}}\n"
	f := func(text, want string) {
		t.Helper()
		_, warnings, err := Parse("x", []byte(pools+text), noEnv)
		got := fmt.Sprint(err)
		if err == nil {
			got = fmt.Sprint(warnings)
		}
		if got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", text, got, want)
		}
	}
	f("defaults: {retry: {attempts: 99}}", "x:4:30: defaults.retry.attempts: found \"99\": must be from 1 to 10")
	f("defaults: {retri: {attempts: 9}}", "x:4:12: defaults.retri: unknown key (did you mean retry?)")
	f("defaults: [a]", "x:4:11: defaults: found a list: write upstreams: before the list")
	f("defaults: ~", "[]")
	f("defaults: {breaker: {max_ejected: 100%}}", "[x:4:35: pools.a.breaker.max_ejected: breakers may eject all upstreams but one, which then gets all requests: use about 50%]")
	f("defaults: {dns: {min_ttl: 2s, max_ttl: 1s}}", "x:4:27: pools.a.dns.min_ttl: found 2s: must not be longer than max_ttl (1s)")
	f("defaults: {retry: {attempts: 2, attempts: 3}}", "x:4:33: defaults.retry.attempts: duplicate key: the first one is in line 4")
}

package config

import (
	"fmt"
	"strings"
	"testing"
)

func TestHealthFrom(t *testing.T) {
	t.Parallel()
	f := func(pools, want string) {
		t.Helper()
		text := "listeners: [\":8080\"]\nroutes: [{match: {path: /b}, pool: other}, {pool: app}]\n" + pools
		c, warnings, err := Parse("a.yaml", []byte(text), noEnv)
		var got []string
		if err != nil {
			got = append(got, err.Error())
		} else if _, _, err := Parse("dump.yaml", Dump(c), noEnv); err != nil {
			t.Errorf("%s: the dump: %v", pools, err)
		}
		for _, w := range warnings {
			got = append(got, Error(w).Error())
		}
		switch all := strings.Join(got, "\n"); {
		case want == "" && all != "":
			t.Errorf("%s: got %s, want no complaint", pools, all)
		case !strings.Contains(all, want):
			t.Errorf("%s: got %q, want it to contain %q", pools, all, want)
		}
	}
	two := func(app, other string) string {
		return fmt.Sprintf("pools:\n  app: {upstreams: [\"http://10.0.0.1:3000\", \"http://10.0.0.2:3000\"], health: {%s}}\n  other: {upstreams: [%s}\n", app, other)
	}
	const same = `"http://10.0.0.1:3000"], health: `
	f(two("path: /h", same+"{from: app}"), "")
	f(two("path: /h", `"http://10.0.0.1:4000", "https://10.0.0.2"], health: {from: app}`), "")
	f(two("path: /h", `"http://10.0.0.3:3000"], health: {from: app}`), `pools.other.upstreams[0].url: pool "app", which makes the checks (health.from), has no upstream with this address or host`)
	f(two("path: /h", `{url: "http://10.0.0.1:3000"}, {url: "http://10.0.0.9"}], health: {from: app}`), `a.yaml:5:`)
	f("pools:\n  app: {upstreams: [\"http://10.0.0.1:1\", \"http://10.0.0.1:2\"]}\n  other: {upstreams: [\"http://10.0.0.1:3\"], health: {from: app}}\n", "has 2 upstreams on this host")
	f("pools:\n  app: {upstreams: [{srv: _http._tcp.app.example}]}\n  other: {upstreams: [\"http://10.0.0.1:3\"], health: {from: app}}\n", "")
	f(two("path: /h", same+"{from: ap}"), `a.yaml:5:63: pools.other.health.from: found "ap": no such pool; defined: app, other`)
	f(two("path: /h", same+"{from: other}"), "a pool cannot take its checks from itself")
	f(two("from: other", same+"{from: app}"), `pools.app.health.from: found "other": a cycle, in which no pool makes checks: app -> other -> app`)
	f(two("type: none", same+"{from: app}"), "this pool has no health check (pools.app.health.type is none)")
	f(two("path: /h", same+"{from: app, path: /x}"), `pools.other.health.path: excludes health.from, which takes the checks of pool "app"`)
	f(two("path: /h", same+"{from: app, expect: {status: 200}}"), "pools.other.health.expect: excludes health.from")
	f(two("path: /h", same+"{from: app, agent: 9999}"), "pools.other.health.agent: excludes health.from")
	f("pools:\n  app: {upstreams: [\"http://10.0.0.1:1\"], health: {path: /h}}\n  other: {upstreams: [\"http://10.0.0.1:1\"], health: {from: third}}\n  third: {upstreams: [\"http://10.0.0.1:1\"], health: {from: app}}\n", "")
	// A default of all pools: the pool that it names, and those with checks of their own, keep their checks.
	f("defaults: {health: {from: app, interval: 5s}}\n"+two("path: /h", same+"{path: /x}"), "")
	f("defaults: {health: {from: app, path: /d, agent: 9}}\n"+two("", same+"{}"), "")
}

func TestChecksFrom(t *testing.T) {
	t.Parallel()
	c, _, err := Parse("a.yaml", []byte(`listeners: [":8080"]
defaults: {health: {from: a}}
routes: [{pool: a}]
pools:
  a: {upstreams: ["http://10.0.0.1:1"]}
  b: {upstreams: ["http://10.0.0.1:1"]}
  c: {upstreams: ["http://10.0.0.1:1"], health: {from: b}}
  d: {upstreams: ["http://10.0.0.1:1"], health: {path: /h}}
`), noEnv)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"a": "a", "b": "a", "c": "a", "d": "d"} {
		if got := c.ChecksFrom(name); got != want {
			t.Errorf("checks of %s: from %s, want %s", name, got, want)
		}
	}
}

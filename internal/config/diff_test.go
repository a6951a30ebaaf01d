package config

import (
	"slices"
	"strings"
	"testing"
)

func TestDiff(t *testing.T) {
	t.Parallel()
	const before = `
listeners: ["127.0.0.1:1", {address: "127.0.0.1:2", timeouts: {header: 5s}}]
routes:
  - {name: a, match: {path: /a, headers: {X-Token: one}}, pool: app}
  - {name: b, pool: old}
pools:
  app:
    upstreams: ["http://127.0.0.1:3001", {url: "http://127.0.0.1:3002", weight: 2}]
    sticky: {secret: 0123456789abcdef}
    retry: {statuses: [502]}
  old: {upstreams: ["http://127.0.0.1:3003"]}
`
	for _, test := range []struct{ name, from, to, want string }{
		{"nothing", "", "", ""},
		{"a value", "header: 5s", "header: 1m", "listeners[127.0.0.1:2].timeouts.header: 5s -> 1m"},
		{"a listener before", `listeners: [`, `listeners: [":9", `, "listeners[:9]: added"},
		{"an entry", `, {url: "http://127.0.0.1:3002", weight: 2}`, "", "pools.app.upstreams[http://127.0.0.1:3002]: removed"},
		{"a weight", "weight: 2", "weight: 3", "pools.app.upstreams[http://127.0.0.1:3002].weight: 2 -> 3"},
		{"a list", "[502]", "[502, 5xx]", "pools.app.retry.statuses: [502] -> [502, 500-599]"},
		{"a secret", "0123456789abcdef", "fedcba9876543210", "pools.app.sticky.secret: changed"},
		{"a secret header", "X-Token: one", "X-Token: two", "routes[a].match.headers.X-Token: changed"},
		{"a pool", "{name: b, pool: old}", "{name: b, redirect: {to: /}}", "routes[b].pool: old -> \"\"\nroutes[b].redirect: added"},
		{"an order", `"http://127.0.0.1:3001", {url: "http://127.0.0.1:3002", weight: 2}`, `{url: "http://127.0.0.1:3002", weight: 2}, "http://127.0.0.1:3001"`, "pools.app.upstreams: order changed"},
	} {
		a, _ := parse(t, before)
		b, _ := parse(t, strings.Replace(before, test.from, test.to, 1))
		var got []string
		for _, c := range Diff(a, b) {
			got = append(got, c.String())
		}
		if want := strings.Split(test.want, "\n"); !slices.Equal(got, want) && !(test.want == "" && got == nil) {
			t.Errorf("%s: got %q, want %q", test.name, got, want)
		}
	}
}

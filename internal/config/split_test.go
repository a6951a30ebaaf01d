package config

import (
	"fmt"
	"strings"
	"testing"
)

// splitFile is a file with two pools, and a route with these keys.
func splitFile(keys string) string {
	return fmt.Sprintf(`{listeners: [":1"], pools: {v1: {upstreams: ["http://10.0.0.1"]}, v2: {upstreams: ["http://10.0.0.2"]}}, routes: [{%s}]}`, keys)
}

func TestSplit(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"split: [{pool: v1, weight: 95}, {pool: v2, weight: 5}]":            "[{v1 95} {v2 5}] [cookie]",
		"split: {pools: [{pool: v1, weight: 95}, {pool: v2, weight: 5}]}":   "[{v1 95} {v2 5}] [cookie]",
		"split: {pools: [{pool: v1}, {pool: v2}], by: 'header:x-user'}":     "[{v1 1} {v2 1}] [header:X-User]",
		"split: {pools: [{pool: v1}, {pool: v2}], by: ['query:u', cookie]}": "[{v1 1} {v2 1}] [query:u cookie]",
		"split: {pools: [{pool: v1}, {pool: v2}], by: address}":             "[{v1 1} {v2 1}] [client_ip]",
		"split: {pools: [{pool: v1}, {pool: v2}], by: '{host} {cookie:u}'}": "[{v1 1} {v2 1}] [{host} {cookie:u}]",
	} {
		c, _ := parse(t, splitFile(text))
		if s := c.Routes[0].Split; fmt.Sprint(s.Pools, s.By) != want {
			t.Errorf("%s: got %v %v, want %s", text, s.Pools, s.By, want)
		}
	}
}

func TestSplitErrors(t *testing.T) {
	t.Parallel()
	f := func(keys string, want ...string) {
		t.Helper()
		_, _, err := Parse("g.yaml", []byte(splitFile(keys)), noEnv)
		got := strings.Split(fmt.Sprint(err), "\n")
		if len(got) != len(want) {
			t.Fatalf("%s: got %q", keys, got)
		}
		for i := range want {
			if !strings.Contains(got[i], want[i]) {
				t.Errorf("%s: got %q, want %q", keys, got[i], want[i])
			}
		}
	}
	f("pool: v1, split: [{pool: v1}, {pool: v2}]", "pool and split exclude each other")
	f("split: v1", "split: found")
	f("split: []", "split.pools: empty: write")
	f("split: [{pool: v1}]", "split.pools: has one pool")
	f("split: [{pool: v1}, {pool: v1}]", `split.pools[1].pool: found "v1": pools[0] has this pool already`)
	f("split: [{pool: v1}, {pool: v3}]", `split.pools[1].pool: found "v3": no such pool; defined: v1, v2`)
	f("split: [{pool: v1, weight: 0}, {pool: v2, weight: 0}]", "split.pools: every weight is 0")
	f("split: [{pool: v1, weight: 95%}, {pool: v2, weight: 5%}]", `weight: found "95%": expected a whole number`, `weight: found "5%": expected a whole number`)
	f("split: [{pool: v1, weight: -1}, {pool: v2}]", "weight: found \"-1\": must be from 0 to 10000")
	f("split: {pools: [{pool: v1}, {pool: v2}], by: [cookie, client_ip]}", `by[0]: found "cookie": it applies to every request, so it must come last`)
	f("split: {pools: [{pool: v1}, {pool: v2}], by: [client_ip, request]}", `by[1]: found "request": it applies to every request, so it must be the only entry`)
	f("split: {pools: [{pool: v1}, {pool: v2}], by: user}", `by[0]: found "user": expected cookie, client_ip`)
	f("split: {pools: [{pool: v1}, {pool: v2}], schedule: [{after: 1m, share: 10%, pool: v9}]}", `schedule[0].pool: found "v9": the split has no such pool; it has v1, v2`)
	f("split: {pools: [{pool: v1}, {pool: v2}], schedule: [{after: 1m, share: 200%}]}", "must be from 0 to 100%")
}

func TestSplitWarnings(t *testing.T) {
	t.Parallel()
	f := func(keys string, want ...string) { t.Helper(); checkWarnings(t, splitFile(keys), want...) }
	const at = "routes[0].split"
	f("split: [{pool: v1, weight: 95}, {pool: v2, weight: 5}]")
	f("split: [{pool: v1}, {pool: v2, weight: 0}]", at+".pools[1].weight: 0, without a schedule or an override")
	f("split: {pools: [{pool: v1}, {pool: v2, weight: 0}], override: {header: X-Version}}")
	f("split: {pools: [{pool: v1}, {pool: v2, weight: 0}], schedule: [{after: 1m, share: 5%}]}")
	f("split: [{pool: v1, weight: 0}, {pool: v2}]", at+".pools[0].weight: 0 for the first pool")
	f("split: {pools: [{pool: v1}, {pool: v2}], by: client_ip, cookie: c}", at+".cookie: has no effect with by: client_ip")
	f("split: {pools: [{pool: v1}, {pool: v2}], override: {clients: 10.0.0.0/8}}", at+".override.clients: has no effect")
	f("split: {pools: [{pool: v1}, {pool: v2}], schedule: [{after: 1m, share: 5%}, {after: 1m, share: 5%}]}", at+".schedule[1].share: 5%, as in the step before")
	f("fallback: v1, split: [{pool: v1}, {pool: v2}]", at+": the route's fallback is pool v1 of the split")
	sticky := strings.Replace(splitFile("split: {pools: [{pool: v1}, {pool: v2}], by: request}"), "v2: {", "v2: {policy: sticky, sticky: {secret: 0123456789abcdef}, ", 1)
	checkWarnings(t, sticky, at+".by: pool v2 keeps clients on their upstream")
}

package config

import (
	"fmt"
	"strings"
	"testing"
)

func TestMirror(t *testing.T) {
	t.Parallel()
	c, _ := parse(t, splitFile("pool: v1, mirror: v2"))
	if m := c.Routes[0].Mirror; m.Pool != "v2" || m.Share != 1 || fmt.Sprint(m.Methods) != "[GET HEAD]" {
		t.Errorf("the short form: %+v", m)
	}
	for keys, want := range map[string]string{
		"pool: v1, mirror: v1":                                   `mirror.pool: found "v1": the route sends its requests to this pool already`,
		"split: [{pool: v1}, {pool: v2}], mirror: v2":            `mirror.pool: found "v2": the route sends its requests to this pool already`,
		"pool: v1, mirror: v3":                                   `mirror.pool: found "v3": no such pool`,
		"respond: {status: 204}, mirror: v2":                     "mirror: applies to pool or split only",
		"pool: v1, mirror: {pool: v2, share: 101%}":              "share: found",
		"pool: v1, mirror: {share: 10%}":                         "mirror: pool is missing",
		"pool: v1, mirror: {pool: v2, max_concurrent: 0}":        "max_concurrent",
		"pool: v1, mirror: {pool: v2, methods: [get]}":           "methods are case-sensitive",
		"pool: v1, mirror: {pool: v2, compare_headers: ['a b']}": "not a header name",
	} {
		_, _, err := Parse("g.yaml", []byte(splitFile(keys)), noEnv)
		if got := fmt.Sprint(err); !strings.Contains(got, want) || strings.Contains(got, "\n") {
			t.Errorf("%s: got %s, want %s", keys, got, want)
		}
	}
	f := func(keys string, want ...string) { t.Helper(); checkWarnings(t, splitFile(keys), want...) }
	f("pool: v1, mirror: v2")
	f("pool: v1, mirror: {pool: v2, share: 0%}", "routes[0].mirror.share: 0%: goodgate mirrors nothing")
	f("pool: v1, mirror: {pool: v2, methods: [GET, POST]}", "routes[0].mirror.methods[1]: pool v2 executes each mirrored POST as well")
	f("pool: v1, mirror: {pool: v2, max_body: 1MiB}", "routes[0].mirror.max_body: 1MiB is more than retry.max_body 64KiB of pool v1")
}

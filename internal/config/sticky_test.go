package config

import (
	"fmt"
	"strings"
	"testing"
)

// TestStickyCookie: a cookie that browsers refuse is an error.
func TestStickyCookie(t *testing.T) {
	t.Parallel()
	for sticky, want := range map[string]string{
		`domain: .Example.com, path: /app, partitioned: true`: "",
		`cookie: __Host-a, path: /`:                           "",
		`domain: "*.example.com"`:                             "domain: found",
		`domain: 10.0.0.1`:                                    "domain: found",
		`domain: "a;b"`:                                       "domain: found",
		`path: app`:                                           "path: found",
		`path: "/a;b"`:                                        "path: found",
		`partitioned: true, secure: never`:                    "partitioned: found true",
		`cookie: __Host-a, domain: example.com`:               "domain: browsers refuse",
		`cookie: __host-a, path: /a`:                          "path: browsers refuse",
		`cookie: __Secure-a, secure: never`:                   `secure: found "never"`,
		`same_site: none, secure: never`:                      `same_site: found "none"`,
	} {
		text := `listeners: [":8080"]` + "\npools: {app: {policy: sticky, sticky: {secret: 0123456789abcdef, " + sticky + `}, upstreams: ["http://a"]}}`
		c, _, err := Parse("g.yaml", []byte(text), noEnv)
		_, got, _ := strings.Cut(fmt.Sprint(err), "pools.app.sticky.")
		if !strings.HasPrefix(got, want) || (want == "") != (err == nil) {
			t.Errorf("%s: got %v, want %s", sticky, err, want)
		}
		if err == nil && strings.Contains(sticky, "Example") && c.Pools["app"].Sticky.Domain != "example.com" {
			t.Errorf("%s: got %q", sticky, c.Pools["app"].Sticky.Domain)
		}
	}
}

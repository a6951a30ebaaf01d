package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Each key of access, CORS, compression and the cache is accepted in its short form.
// Impossible settings are errors at their place.
func TestAnswersAndAccess(t *testing.T) {
	t.Parallel()
	one := func(route, pool string) (*Config, []Warning, error) {
		return Parse("g.yaml", []byte("listeners: [\"127.0.0.1:8080\"]\nroutes:\n  - {pool: app, "+route+"}\npools:\n  app: {upstreams: [\"http://127.0.0.1:1\"], "+pool+"}\n"), nil)
	}
	for _, route := range []string{
		`cors: "https://app.example.com"`, `cors: ["https://app.example.com", "https://*.example.com"]`, `cors: {origins: "*"}`, `cors: "*"`,
		`access: {basic: users}`, `access: {forward: app}`, `access: {forward: {url: "https://10.0.0.3/verify?a=b", host: keep}}`, `access: {forward: {url: ["http://10.0.0.3/v", "http://10.0.0.4:80/v"]}}`, `access: {allow: 10.0.0.0/8, deny: [10.1.0.0/16]}`, `access: {allow: "::ffff:10.0.0.0/104"}`,
		`cross_origin: deny`, `cross_origin: {mode: deny, trusted: "https://a.example"}`, `secure_headers: true`, `secure_headers: {hsts: ""}`,
		`compress: true`, `compress: {encodings: gzip, types: text/html}`, `intercept: 404`, `intercept: [404, 5xx]`,
	} {
		if _, warnings, err := one(route, ""); err != nil || len(warnings) > 0 {
			t.Errorf("%s: %v, %v", route, err, warnings)
		}
	}
	if c, _, err := one(`cors: "https://App.example.com"`, "cache: true"); err != nil || c.Routes[0].CORS.Origins[0] != "https://app.example.com" || !c.Pools["app"].Cache.Enabled {
		t.Errorf("got %v", err)
	}
	if c, _, err := one(`access: {allow: "::ffff:10.0.0.0/104"}`, ""); err != nil || c.Routes[0].Access.Allow[0].String() != "10.0.0.0/8" {
		t.Errorf("IPv4 in IPv6: %v", err)
	}
	for route, want := range map[string]string{
		`cors: "app.example.com"`:                                                 "write https://app.example.com",
		`cors: "https://app.example.com/"`:                                        "an origin has no path: write https://app.example.com",
		`cors: "https://app.example.com:443"`:                                     "leave out the default port of the scheme: write https://app.example.com",
		`cors: "https://a.*.example.com"`:                                         "a * must be the whole first label",
		`cors: {origins: "*", credentials: true}`:                                 "name the origins",
		`access: {allow: 10.0.0.0/8, deny: 10.0.0.0/8}`:                           "access.allow has it too",
		`access: {forward: apq}`:                                                  "no such pool (did you mean app?)",
		`access: {forward: {pool: app, copy_headers: Content-Length}}`:            "belongs to the connection",
		`access: {forward: {path: /v}}`:                                           "one of pool, url is missing",
		`access: {forward: {pool: app, url: "http://10.0.0.3/v"}}`:                "exclude each other",
		`access: {forward: {url: "http://10.0.0.3/v", path: /v}}`:                 "excludes url, which has the path",
		`access: {forward: {url: ["http://10.0.0.3/v", "http://10.0.0.4/w"]}}`:    "forward.url[1]: its path differs from that of the first URL",
		`access: {forward: {url: ["http://10.0.0.3/v", "http://10.0.0.3:80/v"]}}`: "the same upstream as an earlier one",
		`access: {forward: {url: "10.0.0.3:9091/v"}}`:                             "expected http://host:port/path",
		`access: {forward: {url: "http://a:b@10.0.0.3/v"}}`:                       "takes no user and password",
		`access: {forward: {url: "unix:/run/auth.sock"}}`:                         "for a Unix socket, name a pool instead",
		`access: {forward: {url: "http://10.0.0.3/v#x"}}`:                         "a URL takes no fragment here",
		`access: {forward: {pool: app, tls: {insecure: true}}}`:                   "applies to url only",
		`access: {forward: {url: "https://10.0.0.3/", tls: {cert: /x.pem}}}`:      "cert and key go together: set both, or neither",
		`access: {basic: {realm: x}}`:                                             "file is missing",
		`access: {satisfy: some}`:                                                 "must be one of all, any",
		`cross_origin: no`:                                                        "must be one of allow, deny",
		`compress: {types: html}`:                                                 "expected a media type",
		`compress: {encodings: br}`:                                               "must be one of zstd, gzip",
		`intercept: 200`:                                                          "only statuses of 400 and above",
	} {
		if _, _, err := one(route, ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", route, err, want)
		}
	}
	for route, want := range map[string]string{
		`access: {satisfy: any, allow: 10.0.0.0/8}`:       "it needs at least two",
		`access: {allow: 10.0.0.0/8, deny: 192.0.2.0/24}`: "no network of access.allow lets 192.0.2.0/24 in",
		`cors: "null"`: "it allows everybody",
		`cross_origin: {trusted: "https://a.example"}`: "has no effect with mode allow",
	} {
		if _, warnings, err := one(route, ""); err != nil || len(warnings) != 1 || !strings.Contains(warnings[0].Message, want) {
			t.Errorf("%s: got %v, %v, want %s", route, err, warnings, want)
		}
	}
}

// TestPlainPasswords: check warns of passwords without TLS on any listener, unless an
// earlier route takes the plain requests.
func TestPlainPasswords(t *testing.T) {
	t.Parallel()
	const listeners = `
listeners: [{name: plain, address: ":80"}, {address: ":443", tls: {certificates: [{cert: c.pem, key: c.key}]}}]
pools: {app: {upstreams: ["http://10.0.0.2"]}}
%s
routes: [%s]`
	const basic = "access: {basic: users}, pool: app"
	for routes, want := range map[string]bool{
		"{" + basic + "}":                                                                                      true,
		"{match: {scheme: https}, " + basic + "}":                                                              false,
		"{match: {listener: \":443\"}, " + basic + "}":                                                         false,
		"{match: {listener: plain}, " + basic + "}":                                                            true,
		"{match: {scheme: http}, redirect: {to: \"https://{host}{path}\"}}, {" + basic + "}":                   false,
		"{match: {listener: plain}, redirect: {to: \"https://{host}{path}\"}}, {" + basic + "}":                false,
		"{match: {listener: \":80\"}, redirect: {to: \"https://{host}{path}\"}}, {" + basic + "}":              false,
		"{match: {scheme: http, path: /a}, redirect: {to: \"https://{host}{path}\"}}, {" + basic + "}":         true,
		"{match: {scheme: http, path: \"/a*\"}, respond: {status: 403}}, {match: {path: /a/b}, " + basic + "}": false,
		"{match: {scheme: https}, pool: app}, {" + basic + "}":                                                 true,
	} {
		for _, trusted := range []string{"", "trusted_proxies: [10.0.0.9]"} {
			_, warnings, err := Parse("x", fmt.Appendf(nil, listeners, trusted, routes), noEnv)
			if err != nil {
				t.Fatalf("%s: %v", routes, err)
			}
			got := slices.ContainsFunc(warnings, func(p Warning) bool { return strings.Contains(p.Message, "password in plain text") })
			if got != (want && trusted == "") {
				t.Errorf("%s, %q: warned %v; %v", routes, trusted, got, warnings)
			}
		}
	}
}

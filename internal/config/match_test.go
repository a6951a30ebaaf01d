package config

import (
	"fmt"
	"strings"
	"testing"
)

func TestConditions(t *testing.T) {
	t.Parallel()
	for match, want := range map[string]string{
		`path: "/a/*/b"`:                        "",
		`path: "*.png"`:                         "",
		`path: "a/*"`:                           `path: found "a/*": a path must start with /`,
		`path: "/a/**"`:                         `path: found "/a/**": write one *`,
		`path: "*"`:                             `path: found "*": leave path out`,
		`path: "*?x"`:                           `path: found "*?x": a path has no query`,
		`port: 0`:                               `port[0]: found "0": must be from 1 to 65535`,
		`port: [80, 443], sni: "*.example.com"`: "",
		`sni: "a.*.com"`:                        `sni[0]: found "a.*.com": a * must be the whole first label`,
		`any: [{}]`:                             `any[0]: has no conditions`,
		`not: [{}]`:                             `not[0]: has no conditions`,
		`not: [{methods: [GET], path: /a}], any: [{query: {a: "*"}}]`: "",
		`not: [{listener: ":81"}]`:                                    `not[0].listener[0]: found ":81": no such listener`,
		`not: [{path: /b, not: [{path: /a}]}]`:                        "",
		`header_absent: X-A, query_absent: [a, b], cookie_absent: c`:  "",
		`header_prefix: {User-Agent: curl/}, query_prefix: {a: "1"}`:  "",
		`header_absent: "X A"`:                                        `header_absent[0]: found "X A"`,
		`cookie_absent: "a=b"`:                                        `cookie_absent[0]: found "a=b"`,
		`header_prefix: {"X A": a}`:                                   `header_prefix: key`,
		`headers_absent: X-A`:                                         `headers_absent: unknown key (did you mean header_absent?)`,
		`all: [{}]`:                                                   `all[0]: has no conditions`,
		`all: {path: /a}`:                                             `all: found a mapping: expected a list`,
		`any: [{all: [{not: [{}]}]}]`:                                 `any[0].all[0].not[0]: has no conditions`,
		`any: [{not: [{path_regexp: "("}]}]`:                          `any[0].not[0].path_regexp: found "(": not a valid RE2 regular expression`,
		`any: [{not: [{listener: ":81"}]}]`:                           `any[0].not[0].listener[0]: found ":81": no such listener`,
		`any: [{all: [{not: [{any: [{path: /a}]}]}]}]`:                "",
		`any: [{all: [{not: [{any: [{not: [{path: /a}]}]}]}]}]`:       `any[0].all[0].not[0].any[0].not[0]: all, any and not are nested 5 levels deep: the limit is 4`,
		`not: [{path_regexp: "("}]`:                                   `not[0].path_regexp: found "(": not a valid RE2 regular expression`,
		`any: [{header: {X-A: "1"}}]`:                                 `any[0].header: unknown key (did you mean headers?)`,
	} {
		_, _, err := Parse("g.yaml", []byte(minimal+"routes: [{match: {"+match+"}, pool: app}]"), noEnv)
		_, got, _ := strings.Cut(fmt.Sprint(err), "routes[0].match.")
		if !strings.HasPrefix(got, want) || (want == "") != (err == nil) {
			t.Errorf("%s: got %v, want %s", match, err, want)
		}
	}
	route := func(match, want string) {
		t.Helper()
		checkWarnings(t, minimal+"routes: [{match: {"+match+"}, pool: app}]", want)
	}
	route("port: 81", "routes[0].match: the route never matches: no listener fits port, sni, scheme and listener")
	route("sni: a.example", "routes[0].match: the route never matches: no listener fits port, sni, scheme and listener")
	route(`path: /a/b, not: [{path: "/a/*"}]`, "routes[0].match.not[0]: the route never matches")
	route(`any: [{path: /a}], header_absent: X-A, headers: {X-A: "1"}`, "routes[0].match.header_absent: never holds: another condition requires X-A")
	route(`any: [{query_absent: a, query_prefix: {a: "1"}}]`, "routes[0].match.any[0].query_absent: never holds: another condition requires a")
	route(`any: [{not: [{header_absent: X-Real-IP}]}]`, "routes[0].match.any[0].not[0].header_absent: X-Real-Ip never arrives")
	route(`not: [{headers: {X-Real-IP: "1"}}]`, "routes[0].match.not[0].headers: X-Real-Ip never arrives")
	route(`path: "/a%20b"`, "routes[0].match.path: has %20: goodgate compares the decoded path, so write the character itself")
	route(`any: [{path_regexp: "^/a(%2F|/)"}]`, "routes[0].match.any[0].path_regexp: has %2F: goodgate compares the decoded path")
	route(`host_regexp: "^(api|Shop)\\."`, "routes[0].match.host_regexp: has a capital letter, which matches no host")
	checkWarnings(t, minimal+`routes: [{match: {host_regexp: "(?i)^Shop[A-Z]\\.", path_regexp: "(?i)^/50%"}, pool: app}]`)
	checkWarnings(t, minimal+`routes: [{match: {path: /a}, pool: app, access: {forward: {pool: app, copy_headers: [X-User, Authorization]}}, limits: {rates: [{on: [client_ip, "header:X-User"], requests: 1}, {on: "header:Authorization", requests: 1}]}}]`,
		"routes[0].limits.rates[0].on: X-User has no value yet: goodgate sets it later, when it checks access")
	checkWarnings(t, `
listeners: ["127.0.0.1:80"]
pools: {a: {upstreams: ["http://10.0.0.1"]}, b: {upstreams: ["http://10.0.0.2"]}}
routes: [{split: {pools: [{pool: a}, {pool: b}], by: ["header:X-User", client_ip]}, access: {basic: {file: users, user_header: X-User}}}]`,
		"routes[0].split.by: X-User has no value yet")
	checkWarnings(t, minimal+`routes: [{match: {port: 8080, not: [{path: /a}]}, pool: app}]`)
}

// TestConditionsThatCover: a route that a wider one precedes never matches, and only such
// a route gets the warning.
func TestConditionsThatCover(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		first, second string
		covers        bool
	}{
		{`header_prefix: {X-A: ab}`, `header_prefix: {X-A: abc}`, true},
		{`header_prefix: {X-A: ab}`, `headers: {X-A: abc}`, true},
		{`header_prefix: {X-A: ab}`, `headers: {X-A: "*"}`, false},
		{`header_prefix: {X-A: ab}`, `header_prefix: {X-A: a}`, false},
		{`cookie_prefix: {a: b}`, `cookie_prefix: {b: b}`, false},
		{`query_absent: a`, `query_absent: [b, a]`, true},
		{`query_absent: [a, b]`, `query_absent: a`, false},
		{`all: [{path: /a}]`, `all: [{path: /b}, {path: /a}]`, true},
		{`all: [{path: /a}, {path: /b}]`, `all: [{path: /a}]`, false},
		{`not: [{any: [{path: /a}]}]`, `not: [{path: /b}, {any: [{path: /a}]}]`, true},
		{`not: [{any: [{path: /a}]}]`, `not: [{any: [{path: /b}]}]`, false},
		{`any: [{not: [{path: /a}]}]`, `path: /b`, false},
	} {
		_, warnings := parse(t, minimal+"routes: [{match: {"+tc.first+"}, pool: app}, {match: {"+tc.second+"}, pool: app}]")
		if got := strings.Contains(fmt.Sprint(warnings), "never matches: routes[0]"); got != tc.covers {
			t.Errorf("%s before %s: got %v, want %v: %v", tc.first, tc.second, got, tc.covers, warnings)
		}
	}
}

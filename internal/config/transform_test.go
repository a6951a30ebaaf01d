package config

import (
	"fmt"
	"strings"
	"testing"
)

// TestTransformErrors: each mistake in what changes requests and answers has its place.
func TestTransformErrors(t *testing.T) {
	t.Parallel()
	for keys, want := range map[string]string{
		`rewrite_path: {regexp: "^/(a)", to: "/b/$1?x={args}&h={header:X-A}"}`: "",
		`rewrite_path: {regexp: "^/", to: "/{path}/{pool}/{hostname}"}`:        "",
		`rewrite_path: {regexp: "^/", to: "/{args}"}`:                          `rewrite_path.to: found "/{args}": {args} has the query, so it belongs after the ?`,
		`rewrite_path: {regexp: "^/", to: "/{uri}"}`:                           `rewrite_path.to: found "/{uri}": {uri} has the query`,
		`rewrite_path: {regexp: "^/", to: "/{upstream}"}`:                      `rewrite_path.to: found "/{upstream}": {upstream} has no value at this point`,
		`rewrite_path: {regexp: "^/", to: "/{pathh}"}`:                         `rewrite_path.to: found "/{pathh}": unknown variable {pathh} (did you mean {path}?)`,
		`rewrite_path: {regexp: "^/", to: "/{header:a b}"}`:                    `rewrite_path.to: found "/{header:a b}": {header:a b}: "a b" is not a name`,
		`rewrite_path: {regexp: "^/", to: "/{1}"}`:                             `rewrite_path.to: has {1}: the expression of the route`,
		`rewrite_path: {regexp: "^/", to: "/a b"}`:                             `rewrite_path.to: found "/a b": the new path must not have #, spaces`,
		`rewrite_path: {regexp: "^/", to: "/a#b"}`:                             `rewrite_path.to: found "/a#(hidden)": the new path must not have #, spaces`,
		`rewrite_path: {regexp: "^/", to: "{path}"}`:                           `rewrite_path.to: found "{path}": a path must start with /`,
		`request_query: {set: {a: "{host}"}, add: {b: x}, remove: c}`:          "",
		`request_query: {set: {a: "{upstream}"}}`:                              `request_query.set.a: {upstream} has no value at this point`,
		`request_query: {add: {a: "{hst}"}}`:                                   `request_query.add.a: unknown variable {hst}`,
		`response_rules: [{status: 5xx, new_status: 404}]`:                     "",
		`response_rules: [{status: 5xx}]`:                                      `response_rules[0]: changes nothing`,
		`response_rules: [{status: 5xx, new_status: 304}]`:                     `response_rules[0].new_status: found 304`,
		`response_rules: [{new_status: 100}]`:                                  `response_rules[0].new_status: found "100": must be from 200 to 599`,
		`response_rules: [{set: {X-A: "{hots}"}}]`:                             `response_rules[0].set.X-A: unknown variable {hots} (did you mean {host}?)`,
		`response_rules: [{remove: [Connection]}]`:                             `response_rules[0].remove[0]: belongs to the connection`,
		`response_rules: [{replace: [{header: Upgrade, regexp: a}]}]`:          `response_rules[0].replace[0].header: belongs to the connection`,
		`response_headers: {replace: [{header: Server, regexp: "("}]}`:         `response_headers.replace[0].regexp: found "(": not a valid RE2 regular expression`,
		`request_headers: {replace: [{header: Host, regexp: a, to: b}]}`:       `request_headers.replace[0].header: set this header with the key host of the route`,
		`response_headers: {replace: [{regexp: a}]}`:                           `response_headers.replace[0]: header is missing`,
	} {
		_, _, err := Parse("g.yaml", []byte(minimal+"routes: [{pool: app, "+keys+"}]"), noEnv)
		_, got, _ := strings.Cut(fmt.Sprint(err), "routes[0].")
		if !strings.HasPrefix(got, want) || (want == "") != (err == nil) {
			t.Errorf("%s: got %v, want %s", keys, err, want)
		}
	}
	route := func(keys, want string) {
		t.Helper()
		checkWarnings(t, minimal+"routes: [{"+keys+"}]", want)
	}
	route(`pool: app, rewrite_path: {regexp: "^/(a)", to: /$2}`, "routes[0].rewrite_path.to: $2 stays empty: regexp has 1 groups")
	route(`pool: app, rewrite_path: {regexp: "^/(a)", to: /$1x}`, "routes[0].rewrite_path.to: $1x stays empty: regexp has no group of this name; for group 1 followed by text, write $${1}x")
	route(`pool: app, rewrite_path: {regexp: "^/(?P<a>b)", to: /$b}`, "routes[0].rewrite_path.to: $b stays empty: regexp has no group of this name, (?P<b>...)")
	route(`pool: app, fallback: {respond: {headers: {X-A: "{upstrem}"}}}`, "routes[0].fallback.respond.headers.X-A: {upstrem} is not a variable, and stays as text (did you mean {upstream}?)")
	checkWarnings(t, strings.Replace(minimal, "pools:", "routes: [{match: {path: /a}, respond: {body: \"{upstream}\"}}, {pool: app}]\npools:", 1), "routes[0].respond.body: {upstream} has no value here, and stays empty")
}

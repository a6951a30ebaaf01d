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
		`path: "a/*"`:                           `path: found "a/*": a path starts with /`,
		`path: "/a/**"`:                         `path: found "/a/**": write one *`,
		`path: "*"`:                             `path: found "*": leave path out`,
		`path: "*?x"`:                           `path: found "*?x": a path is matched without query`,
		`port: 0`:                               `port[0]: found "0": must be from 1 to 65535`,
		`port: [80, 443], sni: "*.example.com"`: "",
		`sni: "a.*.com"`:                        `sni[0]: found "a.*.com": a * may only stand for the first labels`,
		`any: [{}]`:                             `any[0]: has no conditions`,
		`not: [{}]`:                             `not[0]: has no conditions`,
		`not: [{methods: [GET], path: /a}], any: [{query: {a: "*"}}]`: "",
		`not: [{listener: ":81"}]`:                                    `not[0].listener[0]: found ":81": no such listener`,
		`not: [{path: /b, not: [{path: /a}]}]`:                        `not[0].not: unknown key`,
		`not: [{path_regexp: "("}]`:                                   `not[0].path_regexp: found "(": not a regular expression`,
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
	route("port: 81", "routes[0].match: the route never matches: no listener has such connections")
	route("sni: a.example", "routes[0].match: the route never matches: no listener has such connections")
	route(`path: /a/b, not: [{path: "/a/*"}]`, "routes[0].match.not[0]: the route never matches")
	route(`not: [{headers: {X-Real-IP: "1"}}]`, "routes[0].match.not[0].headers: X-Real-Ip never arrives")
	checkWarnings(t, minimal+`routes: [{match: {port: 8080, not: [{path: /a}]}, pool: app}]`)
}

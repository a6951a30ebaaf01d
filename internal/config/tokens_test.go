package config

import (
	"strings"
	"testing"
)

// Named tokens give the same access as the one without a name, and are distinguishable.
func TestAdminTokens(t *testing.T) {
	const text = "listeners: [\":8080\"]\npools: {app: {upstreams: [\"http://127.0.0.1:1\"]}}\nadmin: {address: \"10.0.0.5:9900\", "
	for tokens, want := range map[string]string{
		`tokens: [{name: ci, token: 0123456789abcdef}]}`:                                       "",
		`token: fedcba9876543210, tokens: [{name: ci, token: 0123456789abcdef}]}`:              "",
		`tokens: [{name: ci, token: 0123456789abcdef}, {name: eve, token: 0123456789abcdeg}]}`: "",
		`tokens: []}`:                                       "set admin.token",
		`tokens: [{name: ci, token: short}]}`:               "admin.tokens[0].token: has 5 bytes: the minimum is 16",
		`tokens: [{token: 0123456789abcdef}]}`:              "admin.tokens[0]",
		`tokens: [{name: ci}]}`:                             "admin.tokens[0]",
		`tokens: [{name: admin, token: 0123456789abcdef}]}`: `admin.tokens[0].name: found "admin": this name is reserved`,
		`tokens: [{name: local, token: 0123456789abcdef}]}`: `found "local"`,
		`tokens: [{name: ci, token: 0123456789abcdef}, {name: ci, token: 0123456789abcdeg}]}`:  `admin.tokens[1].name: found "ci": admin.tokens[0] has this name`,
		`tokens: [{name: ci, token: 0123456789abcdef}, {name: eve, token: 0123456789abcdef}]}`: "admin.tokens[1].token: is the same as admin.tokens[0]",
		`token: 0123456789abcdef, tokens: [{name: ci, token: 0123456789abcdef}]}`:              "is the same as admin.token:",
	} {
		c, _, err := Parse("g.yaml", []byte(text+tokens), nil)
		switch {
		case want == "" && (err != nil || !c.Admin.Secured()):
			t.Errorf("%s: %v", tokens, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: got %v, want %q", tokens, err, want)
		case err != nil && strings.Contains(err.Error(), "0123456789"):
			t.Errorf("%s: the error tells a token: %v", tokens, err)
		}
	}
}

// A secret that an empty variable would leave out is a mistake, unless the reference has a default.
func TestEmptySecret(t *testing.T) {
	env := func(name string) (string, bool) { return "", name == "EMPTY" }
	for value, want := range map[string]string{
		"${EMPTY}":         "admin.token: ${EMPTY} is empty: set it, or write ${NAME:-} for no value",
		"${EMPTY}${EMPTY}": "admin.token: ${EMPTY}${EMPTY} is empty",
		"${EMPTY:-}":       "",
		"":                 "",
	} {
		_, _, err := Parse("g.yaml", []byte(minimal+"admin: {address: '127.0.0.1:9900', token: '"+value+"'}\n"), env)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", value, err, want)
		}
	}
}

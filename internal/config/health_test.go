package config

import (
	"strings"
	"testing"
)

func TestHealthMistakes(t *testing.T) {
	t.Parallel()
	f := func(health, want string) {
		t.Helper()
		text := "listeners: [\":8080\"]\npools: {app: {upstreams: [\"http://127.0.0.1:3000\"], health: " + health + "}}\n"
		_, warnings, err := Parse("a.yaml", []byte(text), noEnv)
		var got []string
		if err != nil {
			got = append(got, err.Error())
		}
		for _, w := range warnings {
			got = append(got, Error(w).Error())
		}
		switch all := strings.Join(got, "\n"); {
		case want == "" && all != "":
			t.Errorf("%s: got %s, want no complaint", health, all)
		case !strings.Contains(all, want):
			t.Errorf("%s: got %q, want it to contain %q", health, all, want)
		}
	}
	f(`{path: /h, port: 9000, scheme: https, expect: {headers: {X-Ready: "*"}, header_regexp: {X-V: "^2"}, body_regexp: ok, json: {a.0.b: "< 5"}}}`, "")
	f(`{steps: [{send: "PING\r\n", expect: "+PONG"}, {expect_regexp: "^x"}, {send: "hex:00 Ff"}], expect: {max_body: 1KiB}}`, "")
	f(`{type: grpc, port: 9000}`, "")
	f(`{agent: 9999}`, "")
	f(`{type: none, agent: {port: 9999, interval: 1s, send: "hex:0a"}}`, "")
	f(`{agent: {interval: 1s}}`, "port is missing")
	f(`{agent: 0}`, "must be from 1 to 65535")
	f(`{type: http, steps: [{send: x}]}`, "steps: has no effect with type http")
	f(`{port: 9000}`, "port: has no effect with type alive")
	f(`{type: grpc, expect: {json: {a: "1"}}}`, "expect.json: has no effect with type grpc")
	f(`{type: tcp, path: /h}`, "path: has no effect with type tcp")
	f(`{path: /h, port: 70000}`, "port: found \"70000\": must be from 1 to 65535, or 0")
	f(`{path: /h, expect: {json: {a..b: "1"}}}`, "expected the path of a value")
	f(`{path: /h, expect: {json: {a: "< many"}}}`, `expect.json.a: "< many": < needs a number after it`)
	f(`{path: /h, expect: {body_regexp: "("}}`, "not a valid RE2 regular expression")
	f(`{path: /h, method: HEAD, expect: {json: {a: "1"}}}`, "health.method: found HEAD")
	f(`{steps: [{}]}`, "health.steps[0]: is empty")
	f(`{steps: [{send: "hex:0"}]}`, "expected text, or hex:")
	f(`{steps: [{send: "hex:"}]}`, "is empty")
	f(`{tcp: [{send: x}]}`, "did you mean steps?")
}

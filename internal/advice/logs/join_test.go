package logs_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/internal/advice/logs"
)

func TestJoiner(t *testing.T) {
	f := func(name, text, want string) {
		t.Helper()
		var j logs.Joiner
		var got []string
		note := func(p logs.Piece) {
			for _, r := range p.Records {
				got = append(got, string(r))
			}
			if p.Lost > 0 {
				got = append(got, fmt.Sprintf("lost %d %s", p.Lost, p.First))
			}
		}
		for line := range strings.SplitSeq(text, "\n") {
			line = strings.TrimSpace(line)
			p := j.Add([]byte(line))
			note(p)
			if !p.Taken && line != "" {
				got = append(got, "line "+line)
			}
		}
		note(j.End())
		if g := strings.Join(got, "; "); g != want {
			t.Errorf("%s: got %s, want %s", name, g, want)
		}
	}
	f("nothing", "", "")
	f("a line", `{"a":1}`, `line {"a":1}`)
	f("pretty", "{\n  \"a\": 1,\n  \"b\": [\n    {\n      \"c\": \"}\\\"]\"\n    }\n  ]\n}\nx", `{"a":1,"b":[{"c":"}\"]"}]}; line x`)
	f("a list", "[\n  {\n \"a\": 1\n },\n {\n \"a\": 2\n }\n]", `{"a":1}; {"a":2}`)
	f("a list in a line", `[{"a":1}, {"a":2}]`, `{"a":1}; {"a":2}`)
	f("cut off, then another", "{\"a\": 1,\n{\"a\":2}", `lost 1 {"a": 1,; line {"a":2}`)
	f("cut off at the end", "{\n\"a\": 1,", `lost 2 {`)
	f("no JSON after all", "{ hello,\nthe world }\nx", `lost 2 { hello,; line x`)
	f("closed wrongly", "{\n\"a\": [\n}\n]", `lost 3 {`)
	f("not valid", "{\n\"a\" 1\n}", `lost 3 {`)
	f("too many lines", "{\n"+strings.Repeat("\"a\": 1,\n", 2100)+"}", "lost 2000 {"+strings.Repeat(`; line "a": 1,`, 101)+"; line }")
}

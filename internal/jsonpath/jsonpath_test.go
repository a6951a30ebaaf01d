package jsonpath

import (
	"strings"
	"testing"
)

const text = `{"status":"ok","up":true,"down":false,"none":null,"n":42,"f":0.10,"big":9007199254740993,"s":"17","x":1e3,
	"a.b":{"c\\d":1},"list":[{"state":"ready"},2],"o":{}}`

func judge(t *testing.T, body, path, condition string) error {
	t.Helper()
	c, err := Parse(path, condition)
	if err != nil {
		t.Fatalf("%s %s: %v", path, condition, err)
	}
	return Judge([]byte(body), []Condition{c})
}

func TestJudge(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ path, holds, fails string }{
		{"status", "ok|=ok|= ok|!=bad|*", "bad|!=ok|>1|OK|o"},
		{"up", "true|!=false|*", "false|1|!=true|>=1"},
		{"down", "false", "0|null"},
		{"none", "null|*", "|0"},
		{"n", "42|=42.0|<43|<=42|>41.5|>=42|!=41|<1e3", "<42|>42|!=42|!=42.0|4"},
		{"f", "0.1|<0.11|>=0.10|<= 0.1", "<0.1|>0.1"},
		{"big", "9007199254740993|>9e15", "900719925474099"},
		{"s", "17|<18|>=17", ">17"},
		{"x", "1000|<=1000", "<1000"},
		{`a\.b.c\\d`, "1", "2"},
		{"list.0.state", "ready", "gone"},
		{"list.1", "2|<3", "3"},
		{"o", "*|!=x", "{}|<1"},
	} {
		for condition := range strings.SplitSeq(c.holds, "|") {
			if err := judge(t, text, c.path, condition); err != nil {
				t.Errorf("%s %q: got %v, want it to hold", c.path, condition, err)
			}
		}
		for condition := range strings.SplitSeq(c.fails, "|") {
			if err := judge(t, text, c.path, condition); err == nil {
				t.Errorf("%s %q: it holds, want an error", c.path, condition)
			} else if strings.Contains(err.Error(), "ready") {
				t.Errorf("%s %q: error %q shows the value", c.path, condition, err)
			}
		}
	}
}

// A missing value meets no condition, not even != or *.
func TestJudgeMissing(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"nothing", "list.2", "list.-1", "list.x", "status.x", "n.0", "a", `list.0.state.x`} {
		for _, condition := range []string{"!=x", "*", "null"} {
			if err := judge(t, text, path, condition); err == nil {
				t.Errorf("%s %s: it holds, want an error", path, condition)
			}
		}
	}
}

func TestJudgeText(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", "ok", "<html>", `{"a":1`, `{"a":1}{"a":1}`, `{"a":1} x`, "\xff", strings.Repeat("[", 100_000)} {
		if err := judge(t, body, "a", "1"); err == nil {
			t.Errorf("%.20q: it holds, want an error", body)
		}
	}
	for _, body := range []string{`{"a":1}`, " \n{\"a\": 1}\n ", `{"a":2,"a":1}`} {
		if err := judge(t, body, "a", "1"); err != nil {
			t.Errorf("%q: got %v, want it to hold", body, err)
		}
	}
	if err := judge(t, `["x"]`, "0", "x"); err != nil {
		t.Errorf("a list: got %v, want it to hold", err)
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, c := range [][2]string{{"", "1"}, {".", "1"}, {"a.", "1"}, {".a", "1"}, {"a..b", "1"}, {"a", "<"}, {"a", "> x"}, {"a", "<= 1 2"}, {"a", ">=0x10"}, {"a", "<1e999"}, {"a", "> NaN"}} {
		if _, err := Parse(c[0], c[1]); err == nil {
			t.Errorf("%q %q: got no error", c[0], c[1])
		}
	}
}

func FuzzJudge(f *testing.F) {
	f.Add(text, "list.0.state", "ready")
	f.Add("{}", `a\`, "<1")
	f.Fuzz(func(t *testing.T, body, path, condition string) {
		c, err := Parse(path, condition)
		if err != nil {
			return
		}
		all, _ := Parse(path, "*")
		if Judge([]byte(body), []Condition{c}) == nil && Judge([]byte(body), []Condition{all}) != nil {
			t.Errorf("%q holds for %q in %q, which has no such value", condition, path, body)
		}
	})
}

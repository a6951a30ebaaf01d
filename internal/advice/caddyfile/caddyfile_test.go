package caddyfile_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/internal/advice/caddyfile"
)

func text(list []*caddyfile.Directive) string {
	var b strings.Builder
	for _, d := range list {
		b.WriteString(strings.Join(append([]string{d.Name}, d.Args...), "|"))
		if d.HasBlock() {
			b.WriteString("{" + text(d.Block) + "}")
		}
		b.WriteString(";")
	}
	return b.String()
}

func TestParse(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"one.conf": "header X one", "two.conf": "header X two\nrespond {args[0]}", ".hidden.conf": "abort", "sites.conf": "b {\nabort\n}"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ in, want string }{
		{"a\nrespond x", "a: respond|x;"},
		{"a, b,\nc {\nrespond x\n}", "a b c: respond|x;"},
		{"a {\nrespond \"two words\" # not this\n# nor this\n}", "a: respond|two words;"},
		{"a {\nrespond `a \"b\"`\n}", "a: respond|a \"b\";"},
		{"a {\nrespond \"a \\\"b\\\" \\n\"\n}", "a: respond|a \"b\" \\n;"},
		{"a {\nrespond one \\\n  two\nabort\n}", "a: respond|one|two;abort;"},
		{"a {\nrespond <<END\n  one\n    two\n  END 200\nabort\n}", "a: respond|one\n  two|200;abort;"},
		{"a {\nrespond <<x 200\n}", "a: respond|<<x|200;"},
		{"a {\nhandle {\n}\n}", "a: handle{};"},
		{"a {\nrespond a#b\n}", "a: respond|a#b;"},
		{"\ufeffa {\r\nrespond x\r\n}\r\n", "a: respond|x;"},
		{"{$HOST:fallback} {\nrespond {$SET}\n}", "fallback: respond|value;"},
		{"(s) {\nheader {args[0]} {args[1:]}\n}\na {\nimport s X y z\n}", "a: header|X|y|z;"},
		{"(s) {\nhandle {\n{block}\n}\n{blocks.more}\n}\na {\nimport s {\nabort\nmore {\nrespond x\n}\n}\n}", "a: handle{abort;more{respond|x;};};respond|x;"},
		{"a {\nimport *.conf\n}", "a: header|X|one;b{abort;};header|X|two;respond|{args[0]};"},
		{"a {\nimport two.conf 403\n}", "a: header|X|two;respond|403;"},
		{"import sites.conf\na {\nabort\n}", "b: abort;a: abort;"},
		{"a {\nreverse_proxy {path} {\n}\n}", "a: reverse_proxy|{path}{};"},
	} {
		cfg, err := caddyfile.Parse(c.in, filepath.Join(dir, "Caddyfile"), func(name string) (string, bool) { return "value", name == "SET" })
		if err != nil {
			t.Errorf("%q: %v", c.in, err)
			continue
		}
		var got strings.Builder
		for _, s := range cfg.Sites {
			got.WriteString(strings.Join(s.Addresses, " ") + ": " + text(s.Block))
		}
		if got.String() != c.want {
			t.Errorf("%q\ngot  %q\nwant %q", c.in, got.String(), c.want)
		}
	}
	for _, bad := range []string{"a {", "a {\n}\n}", "a {\nrespond \"x\n}", "a {\nrespond <<END\nx\n}", "a {\nabort\n}\n{\n}", "@m path /\na {\n}"} {
		if _, err := caddyfile.Parse(bad, "Caddyfile", os.LookupEnv); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

// Each directive has the line that it is in.
func TestPlaces(t *testing.T) {
	c, err := caddyfile.Parse("# x\na {\n\n\trespond <<END\n\tx\n\tEND\n\tabort\n}\n", "dir/Caddyfile", os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Sites[0].Block[0].At + " " + c.Sites[0].Block[1].At; got != "Caddyfile:4 Caddyfile:7" {
		t.Errorf("the directives are at %s", got)
	}
}

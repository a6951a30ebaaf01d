package config

import (
	"strings"
	"testing"
)

// TestExcerpt: the line of an error is shown with a mark below its place.
func TestExcerpt(t *testing.T) {
	t.Parallel()
	long := "pools: {app: {upstreams: [" + strings.Repeat(`"http://127.0.0.1:3001", `, 12) + `"http://127.0.0.1:3002"], retries: 3, policy: hash}}`
	for _, c := range []struct {
		text         string
		line, column int
		want         string
	}{
		{"a: 1\npools:\n  app:\n    retries: 3\n", 4, 5, "    4 |     retries: 3\n      |     ^^^^^^^"},
		{"log: {format: jsn, level: info}", 1, 15, "    1 | log: {format: jsn, level: info}\n      |               ^^^"},
		{"listeners: [\":8080\"", 1, 12, "    1 | listeners: [\":8080\"\n      |            ^"},
		{"log: {format: jsn} # why: s3cr3t", 1, 15, "    1 | log: {format: jsn} \n      |               ^^^"},
		{"admin: {address: \":1\", token: s3cr3t}", 1, 31, "    1 | admin: {address: \":1\", token: (hidden)}\n      |                               ^^^^^^^^"},
		{"admin: {tokn: s3cr3t, address: \":1\"}", 1, 9, "    1 | admin: {tokn: (hidden), address: \":1\"}\n      |         ^^^^"},
		{"log:\n\tlevel: info", 2, 1, "    2 |  level: info\n      | ^"},
		{"routes:\n  - request_headers:\n      set:\n        Authorization: s3cr3t", 4, 9, "    4 |         Authorization: (hidden)\n      |         ^^^^^^^^^^^^^"},
		{"pools:\n  app:\n    upstreams:\n      - http://127.0.0.1:3000\n      - http://user:s3cr3t@host", 5, 9, "    5 |       - (hidden)\n      |         ^^^^^^^^"},
		{"pools:\n  app:\n    upstreams:\n    - http://127.0.0.1:3000", 4, 7, "    4 |     - http://127.0.0.1:3000\n      |       ^^^^^^^^^^^^^^^^^^^^^"},
		{"log:\n  level:info", 2, 3, "    2 |   level:info\n      |   ^^^^^^^^^^"},
		{"admin:\n  token:s3cr3t", 2, 3, "    2 |   token:(hidden)\n      |   ^^^^^^^^^^^^^^"},
		{"errors: {html: ü.html, details: yes}", 1, 33, "    1 | errors: {html: ü.html, details: yes}\n      |                                 ^^^"},
		{long, 1, strings.Index(long, "retries") + 1, "    1 | ...ttp://127.0.0.1:3001\", \"http://127.0.0.1:3001\", \"http://127.0.0.1:3002\"], retries: 3, policy: hash}}\n" +
			"      |                                                                              ^^^^^^^"},
		{long, 1, 1, "    1 | pools: {app: {upstreams: [\"http://127.0.0.1:3001\", \"http://127.0.0.1:3001\", \"http://127.0.0.1:3001\",...\n      | ^^^^^"},
		{"include: conf.d/*.yaml", 1, 10, "    1 | include: conf.d/*.yaml\n      |          ^^^^^^^^^^^^^"},
		{"include: [a.yaml, none.yaml]", 1, 19, "    1 | include: [a.yaml, none.yaml]\n      |                   ^^^^^^^^^"},
		{"a: 1", 1, 9, "    1 | a: (hidden)\n      |            ^"},
		{"a: 1\n\n", 2, 1, ""},
		{"a: 1", 0, 0, ""},
		{"a: 1", 7, 1, ""},
	} {
		got := NewSource([]byte(c.text)).Excerpt(Error{Line: c.line, Column: c.column})
		if got != c.want {
			t.Errorf("%.200s\ngot\n%s\nwant\n%s", c.text, got, c.want)
		}
	}
}

func FuzzExcerpt(f *testing.F) {
	f.Add("a: {b: [1, 'x\n- y: \"z\\\"\n#", 1, 5)
	f.Fuzz(func(t *testing.T, text string, line, column int) {
		got := NewSource([]byte(text)).Excerpt(Error{Line: line, Column: column})
		if n := strings.Count(got, "\n"); got != "" && n != 1 || len([]rune(got)) > 3*excerptWidth+60 {
			t.Errorf("%q", got)
		}
	})
}

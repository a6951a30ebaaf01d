package vars

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                           "",
		"plain":                      "[plain]",
		"{client_ip}":                "client_ip",
		"a{host}b{path}c":            "[a] host [b] path [c]",
		"{header:X-A}{header.X-A}":   "header:X-A header:X-A",
		"{query}{query:a.b}":         "query query:a.b",
		"{query.a:b}":                "query:a:b",
		"{tls.client.subject}":       "tls.client.subject",
		"{1}{9}{0}{10}":              "$1 $9 [{0}{10}]",
		"{":                          "[{]",
		"}{":                         "[}{]",
		"{{host}}":                   "[{] host [}]",
		"{{{host}":                   "[{{] host",
		`{"a": "{host}"}`:            `[{"a": "] host ["}]`,
		`\{host}`:                    "[{host}]",
		`a\{client}b`:                "[a{client}b]",
		`\{ host}`:                   `[\{ host}]`,
		`\\{host}`:                   `[\{host}]`,
		"{clientip}{header}{query:}": "[{clientip}{header}{query:}] ?clientip ?header ?query:",
		"body{color:red}":            "[body{color:red}] ?color:red",
		"{ } {a b} {ä}":              "[{ } {a b} {ä}]",
		"{tls.versoin}":              "[{tls.versoin}] ?tls.versoin",
	} {
		parts, unknown := Parse(text)
		var got []string
		for _, p := range parts {
			switch {
			case p.Plain != "":
				got = append(got, "["+p.Plain+"]")
			case p.Group > 0:
				got = append(got, fmt.Sprintf("$%d", p.Group))
			default:
				got = append(got, p.Name+p.Parameter)
			}
		}
		for _, word := range unknown {
			got = append(got, "?"+word)
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s: got %s, want %s", text, s, want)
		}
	}
}

// A later place has all values of an earlier one.
func TestNames(t *testing.T) {
	t.Parallel()
	for at := Arrival; at <= Answer; at++ {
		later, earlier := Names(at), Names(at-1)
		if len(later) <= len(earlier) || slices.ContainsFunc(earlier, func(n string) bool { return !slices.Contains(later, n) }) {
			t.Errorf("place %d knows %v, the one before %v", at, later, earlier)
		}
	}
	if !Takes("header") || Takes("host") || Literal("{1}") || Literal(`\{host}`) || !Literal("{x}") || !Literal("") {
		t.Error("Takes or Literal is wrong")
	}
	if got := Escape("{a}{host}{b:c}{a}{"); got != `\{a}{host}\{b:c}\{a}{` {
		t.Errorf("Escape: got %s", got)
	}
}

// A text without variables stays the same for any braces, except for backslashes.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"{host}", `\{host}`, "{{}}", "{header:", "{1}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		parts, _ := Parse(text)
		var b strings.Builder
		for i, p := range parts {
			if p.Plain == "" {
				return
			}
			if i > 0 {
				t.Fatalf("%q: plain text in several parts", text)
			}
			b.WriteString(p.Plain)
		}
		if got := b.String(); got != text && !strings.Contains(text, `\{`) {
			t.Errorf("%q became %q", text, got)
		}
	})
}

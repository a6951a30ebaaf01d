package goodgate_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// proseRules are the patterns that cost a reader a second reading. CONTRIBUTING.md has
// examples.
var proseRules = []struct {
	pattern *regexp.Regexp
	instead string
}{
	{regexp.MustCompile(`(?i)\b(is|are|was|were|be|been|being)( \w+)? told\b`), "say who reports what, or who learns it"},
	{regexp.MustCompile(`(?i)\bwho(so)?ever\b`), "name the actor"},
	{regexp.MustCompile(`(?i)\b(who|what|which|that|those) (is|are|was|were) to (be )?\w+`), "use an infinitive: \"the address to upgrade\""},
	{regexp.MustCompile(`(?i)\b(is|are|was|were|be|been) got\b`), "use obtained, received or fetched"},
	{regexp.MustCompile(`(?i)\bin earnest\b`), "say what happens"},
	{regexp.MustCompile(`(?i)\b(of|by|for|from|to|with|and|or|but|in|on) (what|who) (is|are|was|were|has|have|had|comes|does|do|can|cannot|stands|sends|asks)\b`), "use a noun in place of the clause"},
	{regexp.MustCompile(`(?m)(^|[.;:|] )(What|Who) [^.?!\n|]*[a-z)]\.( |$)`), "start with the subject: a clause with what or who is none"},
	{regexp.MustCompile(`(?m)(^|[.;] )Of (a|an|the|its|each|those|these|several|two|what|which) [^.?!\n]*\.`), "start with the subject"},
	{regexp.MustCompile(`(?i)\bthose (that|which|who) (are|were) (there|left)\b`), "use existing or remaining"},
	{regexp.MustCompile(`(?i), such as[.,;:)]`), "finish the list"},
	{regexp.MustCompile(`(?i), (neither|nor)[.;]`), "put the negation first"},
}

var codeSpan = regexp.MustCompile("`[^`\n]*`")

// TestProse keeps the pages free of patterns that nobody reads once.
func TestProse(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("docs/*.md")
	if err != nil || len(pages) < 20 {
		t.Fatalf("found %d pages (%v), want at least 20", len(pages), err)
	}
	for _, page := range append(pages, "README.md", "CONTRIBUTING.md", "SECURITY.md", "ARCHITECTURE.md", "config.example.yaml") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		prose := codeSpan.ReplaceAll(blank(codeBlock, text), []byte("x"))
		for _, r := range proseRules {
			for _, at := range r.pattern.FindAllIndex(prose, -1) {
				t.Errorf("%s:%d: %q: %s", page, 1+bytes.Count(prose[:at[0]], []byte("\n")), bytes.TrimSpace(prose[at[0]:at[1]]), r.instead)
			}
		}
	}
}

// blank replaces what matches by as many lines.
func blank(pattern *regexp.Regexp, text []byte) []byte {
	return pattern.ReplaceAllFunc(text, func(b []byte) []byte { return bytes.Repeat([]byte("\n"), bytes.Count(b, []byte("\n"))) })
}

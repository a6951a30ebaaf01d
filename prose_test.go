package goodgate_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// proseRules are the patterns that a reader has to read twice. CONTRIBUTING.md has
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
	{regexp.MustCompile(`(?i)\bsurely\b`), "say how certain: \"with statistical certainty\""},
	{regexp.MustCompile(`(?i)\b(in vain|for want of|under way|by nature)\b`), "use the usual words: without success, for lack of, in progress or in flight, always"},
}

var codeSpan = regexp.MustCompile("`[^`\n]*`")

// TestProse keeps the patterns out of the pages.
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
		checkProse(t, page, 1, codeSpan.ReplaceAll(blank(codeBlock, text), []byte("x")))
	}
}

// TestProseOfMessages applies the same rules to the program's texts: help, messages,
// errors and descriptions in the code, and the help in the tags of the configuration.
func TestProseOfMessages(t *testing.T) {
	t.Parallel()
	checked := 0
	for _, root := range []string{"cmd", "internal", "proxy", "balancer", "health", "reason"} {
		err := filepath.WalkDir(root, func(file string, _ fs.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(file, ".go") && !strings.HasSuffix(file, "_test.go") {
				checked += checkLiterals(t, file)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if checked < 2000 {
		t.Errorf("found %d texts, want at least 2000", checked)
	}
}

// checkLiterals applies the rules to the strings of a Go file that have at least three
// words, and to the help in the tags of its structs. It returns how many it has checked.
func checkLiterals(t *testing.T, file string) (checked int) {
	t.Helper()
	files := token.NewFileSet()
	tree, err := parser.ParseFile(files, file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	tags := map[*ast.BasicLit]bool{}
	ast.Inspect(tree, func(n ast.Node) bool {
		if field, ok := n.(*ast.Field); ok && field.Tag != nil {
			tags[field.Tag] = true
		}
		literal, ok := n.(*ast.BasicLit)
		if !ok || literal.Kind != token.STRING {
			return true
		}
		text, err := strconv.Unquote(literal.Value)
		if err != nil {
			t.Fatal(err)
		}
		if tags[literal] {
			text = reflect.StructTag(text).Get("help")
		}
		if len(strings.Fields(text)) >= 3 {
			checked++
			checkProse(t, file, files.Position(literal.Pos()).Line, []byte(strings.ReplaceAll(text, "`", "")))
		}
		return true
	})
	return checked
}

// checkProse applies the rules to a text that begins at a line of a file.
func checkProse(t *testing.T, file string, line int, prose []byte) {
	t.Helper()
	for _, r := range proseRules {
		for _, at := range r.pattern.FindAllIndex(prose, -1) {
			t.Errorf("%s:%d: %q: %s", file, line+bytes.Count(prose[:at[0]], []byte("\n")), bytes.TrimSpace(prose[at[0]:at[1]]), r.instead)
		}
	}
}

// blank replaces what matches by as many lines.
func blank(pattern *regexp.Regexp, text []byte) []byte {
	return pattern.ReplaceAllFunc(text, func(b []byte) []byte { return bytes.Repeat([]byte("\n"), bytes.Count(b, []byte("\n"))) })
}

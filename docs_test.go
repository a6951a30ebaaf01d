package goodgate_test

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/reason"
)

// TestEveryReasonIsExplained keeps docs/502.md complete: a heading for each reason, and
// no heading for anything else.
func TestEveryReasonIsExplained(t *testing.T) {
	page, err := os.ReadFile("docs/502.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	for _, section := range strings.Split(string(page), "\n### ")[1:] {
		name, text, _ := strings.Cut(section, "\n")
		text, _, _ = strings.Cut(text, "\n## ")
		sections[name] = text
	}
	for _, r := range reason.All() {
		text, found := sections[r.String()]
		if !found {
			t.Errorf("docs/502.md does not explain %s", r)
			continue
		}
		delete(sections, r.String())
		for _, part := range []string{"**Causes**", "**See**", "**Cure**"} {
			if r.Fault() == reason.FaultUpstream && !strings.Contains(text, part) {
				t.Errorf("docs/502.md has no %s for %s", part, r)
			}
		}
	}
	for name := range sections {
		t.Errorf("docs/502.md explains %s, which is no reason", name)
	}
}

var (
	codeBlock = regexp.MustCompile("(?ms)^ *```.*?^ *```$")
	heading   = regexp.MustCompile(`(?m)^#+ (.*)$`)
	idAnchor  = regexp.MustCompile(`<a id="([^"]+)">`)
	link      = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	noAnchor  = regexp.MustCompile(`[^\pL\pN _-]`)
)

// readPage returns a page without its blocks of code, and its anchors: those of its
// headings as GitHub makes them, and those written as HTML.
func readPage(t *testing.T, path string) (text string, anchors []string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text = codeBlock.ReplaceAllString(string(b), "")
	for _, h := range heading.FindAllStringSubmatch(text, -1) {
		anchors = append(anchors, strings.ReplaceAll(noAnchor.ReplaceAllString(strings.ToLower(h[1]), ""), " ", "-"))
	}
	for _, a := range idAnchor.FindAllStringSubmatch(text, -1) {
		anchors = append(anchors, a[1])
	}
	return text, anchors
}

// TestPages keeps the links of all pages, and between their parts, good, and a
// blank line before each heading.
func TestPages(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("docs/*.md")
	if err != nil || len(paths) == 0 {
		t.Fatalf("got pages %v, %v", paths, err)
	}
	for _, path := range append(paths, "README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md") {
		text, _ := readPage(t, path)
		for _, at := range heading.FindAllStringIndex(text, -1) {
			if at[0] > 0 && !strings.HasSuffix(text[:at[0]], "\n\n") {
				t.Errorf("%s: no blank line before %q", path, text[at[0]:at[1]])
			}
		}
		for _, l := range link.FindAllStringSubmatch(text, -1) {
			target, anchor, _ := strings.Cut(l[1], "#")
			if strings.Contains(target, ":") {
				continue // another site
			}
			file := path
			if target != "" {
				file = filepath.Join(filepath.Dir(path), target)
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s leads to %s, which is not there", path, l[1])
				continue
			}
			if anchor == "" {
				continue
			}
			if _, anchors := readPage(t, file); !slices.Contains(anchors, anchor) {
				t.Errorf("%s leads to %s; the headings there are %q", path, l[1], anchors)
			}
		}
	}
}

// TestProxyMap: ARCHITECTURE.md names every file of proxy once, and no other.
func TestProxyMap(t *testing.T) {
	text, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	var named []string
	for _, m := range regexp.MustCompile(`(?m)^\| `+"`"+`(\w+\.go)`+"`"+` \|`).FindAllSubmatch(text, -1) {
		named = append(named, string(m[1]))
	}
	files, err := filepath.Glob("proxy/*.go")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, f := range files {
		if name := filepath.Base(f); !strings.HasSuffix(name, "_test.go") {
			want = append(want, name)
		}
	}
	slices.Sort(named)
	if !slices.Equal(named, want) {
		t.Errorf("ARCHITECTURE.md names\n%q,\nthe package has\n%q", named, want)
	}
}

// TestIndex: docs/README.md has every page once.
func TestIndex(t *testing.T) {
	t.Parallel()
	text, _ := readPage(t, "docs/README.md")
	pages, err := filepath.Glob("docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("got pages %v, %v", pages, err)
	}
	for _, page := range pages {
		name := filepath.Base(page)
		if n := strings.Count(text, "]("+name+")"); name != "README.md" && n != 1 {
			t.Errorf("docs/README.md links to %s %d times, want once in one of its groups", name, n)
		}
	}
}

var (
	yamlBlock = regexp.MustCompile("(?ms)^```yaml[^\\n]*\\n(.*?)^```$")
	poolNamed = regexp.MustCompile(`\b(?:pool|fallback|mirror|forward): ?\{?(?:pool: )?([a-z][a-z0-9-]*)`)
	fileValue = regexp.MustCompile(`\$\{file:[^}]*\}`)
)

// TestExamples: every configuration in the pages is good. A complete one has no warning
// either. To a part the test adds what it lacks: the listeners and pools, or the keys
// above it. Each recipe of the cookbook begins with a complete configuration.
func TestExamples(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("got pages %v, %v", pages, err)
	}
	set := func(name string) (string, bool) { return "a secret of more than 16 bytes: " + name, true }
	parts := 0
	for _, path := range append(pages, "README.md") {
		page, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		complete := 0
		for _, block := range yamlBlock.FindAllSubmatch(page, -1) {
			text, whole := completed(block[1])
			if text == nil {
				text, whole = completed(placed(block[1]))
			}
			if text == nil {
				continue // another program's
			}
			_, warnings, err := config.Parse(path, text, set)
			warnings = slices.DeleteFunc(warnings, func(w config.Warning) bool { return !whole || strings.Contains(w.Path, ".faults[") }) // each is meant to be noticed
			if err != nil || len(warnings) > 0 {
				t.Errorf("%s: %v, warnings %v in\n%s", path, err, warnings, text)
			}
			if whole {
				complete++
			} else {
				parts++
			}
		}
		if recipes := strings.Count(string(page), "\n## "); path == "docs/cookbook.md" && complete != recipes {
			t.Errorf("%s has %d recipes and %d complete configurations", path, recipes, complete)
		}
	}
	if parts < 45 {
		t.Errorf("found %d parts of a configuration, want at least 45", parts)
	}
}

// completed returns a configuration with the listeners and pools that a part of one
// lacks, and reports whether it lacked none. It returns nil for other texts.
func completed(example []byte) (text []byte, whole bool) {
	var keys map[string]any
	if yaml.Unmarshal(example, &keys) != nil || !fits(keys, reflect.TypeFor[config.Config](), "include", "defaults") {
		return nil, false
	}
	text = fileValue.ReplaceAll(example, []byte("a secret of a file"))
	text = regexp.MustCompile(`(?m)^include:.*$`).ReplaceAll(text, nil)
	_, shares := keys["fleet"]
	if !shares && bytes.Contains(text, []byte("scope: fleet")) {
		text = append(text, "fleet: {addresses: [\"127.0.0.1:6379\"], secret: a secret of more than 16 bytes}\n"...)
	}
	_, listens := keys["listeners"]
	_, pools := keys["pools"]
	if !listens {
		text = append(text, "listeners: [\":8080\"]\n"...)
	}
	if !pools {
		named := map[string]bool{"app": true}
		for _, m := range poolNamed.FindAllSubmatch(text, -1) {
			named[string(m[1])] = true
		}
		text = append(text, "pools:\n"...)
		for name := range named {
			text = append(text, "  "+name+": {upstreams: [\"http://127.0.0.1:3000\"]}\n"...)
		}
	}
	return text, listens && pools
}

// fits reports whether there are keys, and whether each is a field of the type or one of
// the others.
func fits(keys map[string]any, of reflect.Type, others ...string) bool {
	for field := range of.Fields() {
		others = append(others, field.Tag.Get("yaml"))
	}
	for key := range keys {
		if !slices.Contains(others, key) {
			return false
		}
	}
	return len(keys) > 0
}

// places are where a part of a configuration may stand: a part that has fields of the
// type, or a list of such. The first that fits is the place.
var places = []struct {
	of     reflect.Type
	list   bool
	above  string
	indent string
}{
	{reflect.TypeFor[config.Route](), true, "routes:\n", "  "},
	{reflect.TypeFor[config.Route](), false, "routes:\n  - pool: app\n", "    "},
	{reflect.TypeFor[config.Upstream](), true, "pools:\n  app:\n    upstreams:\n", "      "},
	{reflect.TypeFor[config.ACME](), false, "listeners:\n  - address: \":443\"\n    tls:\n      acme:\n        hosts: [www.example]\n        accept_terms: true\n", "        "},
	{reflect.TypeFor[config.Pool](), false, "pools:\n  app:\n    upstreams: [\"http://127.0.0.1:3000\"]\n", "    "},
}

// placed returns the text below the keys of its place, for a part of a route, a list of
// upstreams, a pool or the section acme. It returns nil for other texts.
func placed(example []byte) []byte {
	var part any
	if yaml.Unmarshal(example, &part) != nil {
		return nil
	}
	entries, list := part.([]any)
	if !list {
		entries = []any{part}
	}
	keys := map[string]any{}
	for _, entry := range entries {
		fields, _ := entry.(map[string]any) // nil for an upstream that is just a URL
		maps.Copy(keys, fields)
	}
	for _, place := range places {
		if place.list == list && fits(keys, place.of) {
			margin := regexp.MustCompile(`^ *`).FindString(string(example))
			lines := regexp.MustCompile("(?m)^"+margin+"(.)").ReplaceAll(example, []byte(place.indent+"$1"))
			return append([]byte(place.above), lines...)
		}
	}
	return nil
}

// TestNeededPrograms: scripts/test.sh installs every program that a test requires.
func TestNeededPrograms(t *testing.T) {
	script, err := os.ReadFile("scripts/test.sh")
	if err != nil {
		t.Fatal(err)
	}
	installed := map[string]bool{
		"promtool": true,                  // in prometheus
		"unshare":  true, "nsenter": true, // on every Linux
	}
	for _, m := range regexp.MustCompile(`(?m)^ *need (\S+) \S+`).FindAllStringSubmatch(string(script), -1) {
		installed[m[1]] = true
	}
	files, err := filepath.Glob("e2e/*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	logs, err := filepath.Glob("internal/logging/*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	required := regexp.MustCompile(`\b(?:need|program)\([\w.]+, "([\w-]+)"\)`)
	found := 0
	for _, file := range append(files, logs...) {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range required.FindAllStringSubmatch(string(source), -1) {
			if found++; !installed[m[1]] {
				t.Errorf("%s requires %s, which scripts/test.sh does not install", file, m[1])
			}
		}
	}
	if found < 20 {
		t.Errorf("found %d required programs, want at least 20", found)
	}
}

package goodgate_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var (
	featureRow    = regexp.MustCompile(`(?m)^\| [^|]+ \| (yes|partly: [^|]+) \| ([^|]+) \|$`)
	featureCounts = regexp.MustCompile(`goodgate has (\d+) of these capabilities, and (\d+) in part`)
)

// TestFeatures: the counts at the top of docs/features.md are those of its rows, and each
// key, command and request that it names exists.
func TestFeatures(t *testing.T) {
	t.Parallel()
	page, _ := readPage(t, "docs/features.md")
	schema := readJSON(t, "goodgate.schema.json")
	paths, _ := readJSON(t, "docs/openapi.json")["paths"].(map[string]any)
	commands, err := os.ReadFile("docs/commands.md")
	if err != nil {
		t.Fatal(err)
	}
	yes, partly := 0, 0
	for _, row := range featureRow.FindAllStringSubmatch(page, -1) {
		if row[1] == "yes" {
			yes++
		} else {
			partly++
		}
		for _, span := range codeSpan.FindAllString(row[2], -1) {
			span = strings.Trim(span, "`")
			words := strings.Fields(span)
			key, value, _ := strings.Cut(span, ": ")
			exists := schemaHas(schema, schema, strings.Split(key, "."), value)
			switch {
			case words[0] == "goodgate":
				exists = regexp.MustCompile("`" + regexp.QuoteMeta(span) + "[ `]").Match(commands)
			case len(words) == 2 && strings.HasPrefix(words[1], "/"):
				at, _ := paths[words[1]].(map[string]any)
				exists = at[strings.ToLower(words[0])] != nil
			}
			if !exists {
				t.Errorf("%s: goodgate has no %q", row[0], span)
			}
		}
	}
	counts := featureCounts.FindStringSubmatch(page)
	if want := []string{strconv.Itoa(yes), strconv.Itoa(partly)}; counts == nil || !slices.Equal(counts[1:], want) {
		t.Errorf("the page counts %q, its rows are %q", counts, want)
	}
	if rows := strings.Count(page, "\n| ") - strings.Count(page, "\n| capability "); rows != yes+partly {
		t.Errorf("%d rows, of which %d say yes or partly", rows, yes+partly)
	}
}

// schemaHas: below node there is the key, and value is one of its words if it has words.
func schemaHas(root map[string]any, node any, key []string, value string) bool {
	n, _ := node.(map[string]any)
	if ref, ok := n["$ref"].(string); ok {
		node = any(root)
		for part := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
			node = node.(map[string]any)[part]
		}
		return schemaHas(root, node, key, value)
	}
	if len(key) == 0 {
		text, _ := json.Marshal(node)
		return value == "" || !strings.Contains(string(text), `"enum"`) || strings.Contains(string(text), `"`+value+`"`)
	}
	if properties, _ := n["properties"].(map[string]any); properties[key[0]] != nil {
		return schemaHas(root, properties[key[0]], key[1:], value)
	}
	inner := []any{n["items"], n["additionalProperties"]}
	for _, word := range []string{"anyOf", "oneOf"} {
		several, _ := n[word].([]any)
		inner = append(inner, several...)
	}
	return slices.ContainsFunc(inner, func(in any) bool { return in != nil && schemaHas(root, in, key, value) })
}

func readJSON(t *testing.T, path string) map[string]any {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	object := map[string]any{}
	if err := json.Unmarshal(b, &object); err != nil {
		t.Fatal(err)
	}
	return object
}

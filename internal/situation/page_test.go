package situation

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/situations.md")

// TestPage keeps docs/situations.md the table's own words. go test ./internal/situation
// -update writes it.
func TestPage(t *testing.T) {
	const path = "../../docs/situations.md"
	var b strings.Builder
	b.WriteString(`# What goodgate tells an operator

The status, ` + "`goodgate top`" + `, the dashboard, ` + "`goodgate why`" + ` and the webhook say what is wrong in the words of one table. This page is made
of it. ` + "`situation`" + ` is the name in ` + "[`troubles`](admin.md#what-is-wrong)" + `; what is in capitals is filled in, and evidence is added: how many of how many,
and when.

A warning becomes an error while clients see errors from it. What is over is told in the past tense.
`)
	for _, part := range []struct {
		title string
		rows  []Row
	}{
		{"What an upstream does wrong", faults}, {"What an upstream is in", states}, {"A pool as a whole", pools}, {"goodgate itself", process}, {"A single request", requests},
	} {
		fmt.Fprintf(&b, "\n## %s\n\n| situation | | headline | what is behind it | next step |\n|---|---|---|---|---|\n", part.title)
		for _, r := range part.rows {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", r.ID, strings.Replace(r.Level.String(), "silent", "", 1), shown(r.Headline), shown(r.Cause), shown(r.Do))
		}
	}
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != b.String() {
		t.Errorf("docs/situations.md is not what the table says (%v): go test ./internal/situation -update", err)
	}
}

// shown marks the gaps of a text.
func shown(s string) string {
	for _, gap := range []string{"pool", "upstream", "name", "error", "file", "when", "status", "n", "of"} {
		s = strings.ReplaceAll(s, "{"+gap+"}", strings.ToUpper(gap))
	}
	return s
}

package situation

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

var update = flag.Bool("update", false, "write docs/situations.md")

// TestPage keeps docs/situations.md the table's own words. go test ./internal/situation
// -update writes it.
func TestPage(t *testing.T) {
	const path = "../../docs/situations.md"
	var b strings.Builder
	b.WriteString(`# What goodgate tells an operator

The status, ` + "`goodgate top`" + `, the dashboard, ` + "`goodgate why`" + ` and the webhook describe problems in the words of one table. This
page shows that table. ` + "`situation`" + ` is the name in ` + "[`troubles`](admin.md#what-is-wrong)" + `. Words in capitals stand for names and
numbers. goodgate adds the evidence: how many of how many, and when.

A warning becomes an error while clients see errors from it. An empty level is for information only. Past problems are in the past tense.
`)
	for _, part := range []struct {
		title string
		rows  []Row
	}{
		{"Failures of an upstream", faults}, {"States of an upstream", states}, {"A pool as a whole", pools}, {"goodgate itself", process}, {"A single request", requests},
	} {
		fmt.Fprintf(&b, "\n## %s\n\n| situation | level | headline | what is behind it | next step |\n|---|---|---|---|---|\n", part.title)
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

// TestAlerts: where an alert is about one situation, its next step is the table's.
func TestAlerts(t *testing.T) {
	var file struct {
		Groups []struct {
			Rules []struct {
				Alert       string
				Annotations map[string]string
			}
		}
	}
	raw, err := os.ReadFile("../../deploy/prometheus/alerts.yml")
	if err == nil {
		err = yaml.Unmarshal(raw, &file)
	}
	if err != nil {
		t.Fatal(err)
	}
	some := 0
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			id, named := rule.Annotations["situation"]
			if !named {
				continue
			}
			some++
			if !Known(ID(id)) {
				t.Errorf("%s: no situation %q", rule.Alert, id)
			} else if got, want := rule.Annotations["next_step"], Of(ID(id)).Do; got != want {
				t.Errorf("%s: the next step is %q, want %q", rule.Alert, got, want)
			}
		}
	}
	if some == 0 {
		t.Error("no alert names a situation")
	}
}

// shown marks the gaps of a text.
func shown(s string) string {
	for _, gap := range []string{"pool", "upstream", "name", "error", "file", "when", "status", "n"} {
		s = strings.ReplaceAll(s, "{"+gap+"}", strings.ToUpper(gap))
	}
	return strings.ReplaceAll(s, "{of}", "TOTAL")
}

package goodgate_test

import (
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/goodgate/goodgate/"

// family is a group of packages with the same import rule: the packages of their own
// family except tools, and those of the families in uses.
type family struct {
	name     string
	packages []string // patterns of path.Match
	uses     []string
}

// families is the table of ARCHITECTURE.md. No package of the path can be changed by
// advice, the lab or the operator's side, as it knows nothing of them.
var families = []family{
	{"tools", []string{"reason", "internal/access", "internal/acme", "internal/certs", "internal/changes", "internal/dns01", "internal/duration", "internal/edition", "internal/handover", "internal/jsonpath", "internal/limit", "internal/otlp", "internal/pagetemplate", "internal/plot", "internal/printable", "internal/series", "internal/similar",
		"internal/stale", "internal/staple", "internal/tickets", "internal/vars", "internal/verdict", "internal/watch"}, nil},
	{"wire", []string{"internal/wire/*"}, []string{"tools"}},
	{"path", []string{"proxy", "balancer", "health"}, []string{"tools", "wire"}},
	{"fleet", []string{"internal/fleet", "internal/fleet/*"}, []string{"tools"}},
	{"setup", []string{"internal/config", "internal/discovery", "internal/discovery/*"}, []string{"tools"}},
	{"operator", []string{"internal/admin", "internal/deploy", "internal/logging", "internal/metrics", "internal/situation", "internal/split", "internal/top", "internal/tracing", "internal/webhook"},
		[]string{"tools", "path"}},
	{"lab", []string{"internal/lab/*"}, []string{"tools", "wire", "path"}},
	{"advice", []string{"internal/advice/*"}, []string{"tools", "setup", "operator"}},
	{"assembly", []string{"internal/assemble", "internal/gate"}, []string{"tools", "wire", "path", "fleet", "setup", "operator", "advice"}},
	{"programs", []string{"", "cmd/*", "benchmarks/*", "e2e"}, []string{"tools", "wire", "path", "fleet", "setup", "operator", "lab", "advice", "assembly"}},
}

// familyOf returns the family of a package by its path inside the module, nil if it
// has none.
func familyOf(name string) *family {
	for i, f := range families {
		if slices.ContainsFunc(f.packages, func(p string) bool { ok, _ := path.Match(p, name); return ok }) {
			return &families[i]
		}
	}
	return nil
}

func (f *family) mayImport(other *family) bool {
	return other != nil && (slices.Contains(f.uses, other.name) || f == other && f.name != "tools")
}

// TestImportDirection keeps the packages in the order that ARCHITECTURE.md
// draws.
func TestImportDirection(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		name := strings.TrimPrefix(strings.TrimPrefix(fields[0], strings.TrimSuffix(module, "/")), "/")
		own := familyOf(name)
		if own == nil {
			t.Errorf("%s belongs to no family: name it here and in ARCHITECTURE.md", name)
			continue
		}
		for _, imported := range fields[1:] {
			if other, ok := strings.CutPrefix(imported, module); ok && !own.mayImport(familyOf(other)) {
				t.Errorf("%s (%s) imports %s; it may import %v", name, own.name, other, own.uses)
			}
		}
	}
}

// TestNoTemplates keeps text/template and html/template out of the program: they look up methods
// by name, and the linker then keeps every exported method of every package, 4 MB of them.
func TestNoTemplates(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./cmd/goodgate").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		name, imports, _ := strings.Cut(strings.TrimSpace(line), " ")
		for _, template := range []string{"text/template", "html/template"} {
			// The linker drops cobra's use of it, as long as no template is set for a command's help.
			if slices.Contains(strings.Fields(imports), template) && name != "github.com/spf13/cobra" && name != "html/template" {
				t.Errorf("%s imports %s", name, template)
			}
		}
	}
}

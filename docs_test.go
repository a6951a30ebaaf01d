package goodgate_test

import (
	"os"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/proxy"
)

// TestEveryReasonIsExplained keeps docs/502.md complete: a heading for each
// reason, and no heading for what is none.
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
	for _, r := range proxy.Reasons() {
		text, found := sections[r.String()]
		if !found {
			t.Errorf("docs/502.md does not explain %s", r)
			continue
		}
		delete(sections, r.String())
		for _, part := range []string{"**Causes**", "**See**", "**Cure**"} {
			if r.Fault() == proxy.FaultUpstream && !strings.Contains(text, part) {
				t.Errorf("docs/502.md has no %s for %s", part, r)
			}
		}
	}
	for name := range sections {
		t.Errorf("docs/502.md explains %s, which is no reason", name)
	}
}

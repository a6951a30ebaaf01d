package e2e_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/internal/advice/proxylog"
)

// TestDoctorCaddySuggests: Caddy accepts the lines that the doctor suggests for its log.
func TestDoctorCaddySuggests(t *testing.T) {
	t.Parallel()
	caddy, err := exec.CommandContext(t.Context(), "go", "-C", "proxies", "tool", "-n", "caddy").Output()
	if err != nil {
		lack(t, "no Caddy can be built here: %v", err)
	}
	tried := map[string]bool{}
	for _, row := range proxylog.Rows() {
		if row.Proxy != "Caddy" || row.Directive == "" || tried[row.Directive] || strings.HasPrefix(row.Directive, "LimitNOFILE") {
			continue
		}
		tried[row.Directive] = true
		file := writeFile(t, t.TempDir(), "Caddyfile", caddyfileWith(row.Directive))
		if out, err := exec.CommandContext(t.Context(), strings.TrimSpace(string(caddy)), "adapt", "--adapter", "caddyfile", "--config", file).CombinedOutput(); err != nil {
			t.Errorf("%s: Caddy refuses %q: %s", row.Match, row.Directive, out)
		}
	}
	if len(tried) < 12 {
		t.Errorf("only %d suggestions", len(tried))
	}
}

// caddyfileWith returns a site with a directive: its own, or one of its reverse_proxy.
func caddyfileWith(directive string) string {
	directive = strings.ReplaceAll(directive, "HOST:PORT", "10.0.0.1:3000")
	if name, _, _ := strings.Cut(directive, " "); name != "reverse_proxy" && name != "request_body" {
		directive = "reverse_proxy 10.0.0.1:3000 {\n" + directive + "\n}"
	}
	return fmt.Sprintf("example.com {\n%s\n}\n", directive)
}

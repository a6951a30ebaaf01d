package goodgate_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/goodgate/goodgate/"

// allowed says which of the module's own packages each package may import. A
// package that is not here may import none.
var allowed = map[string][]string{
	"health":             {"balancer", "internal/h2frame"},
	"proxy":              {"balancer", "reason", "internal/buffer", "internal/header", "internal/http1", "internal/http2", "internal/limit", "internal/message", "internal/pipe", "internal/stale"},
	"internal/message":   {"internal/header"},
	"internal/inbound":   {"internal/chunked", "internal/header", "internal/message", "internal/pipe"},
	"internal/http1":     {"internal/buffer", "internal/chunked", "internal/header", "internal/message", "internal/pipe"},
	"internal/http2":     {"internal/h2frame", "internal/http1"},
	"internal/http3":     {"internal/limit"},
	"internal/config":    {"internal/printable"},
	"internal/webhook":   {"internal/printable"},
	"internal/discovery": {"internal/printable", "internal/watch"},
	"internal/admin":     {"balancer", "proxy", "reason", "internal/printable"},
	"internal/metrics":   {"balancer", "proxy", "reason", "internal/printable"},
	"internal/finding":   {"reason", "internal/printable"},
	"internal/nginxconf": {"reason", "internal/finding"},
	"internal/diagnose":  {"reason", "internal/admin", "internal/doctor", "internal/finding", "internal/haproxy", "internal/nginxconf", "internal/nginxlog"},
	"internal/convert":   {"internal/haproxy", "internal/nginxconf", "internal/printable"},
	"internal/doctor":    {"reason", "internal/discovery", "internal/finding"},
	"internal/gate":      {"balancer", "health", "proxy", "reason", "internal/acme", "internal/admin", "internal/certs", "internal/config", "internal/discovery", "internal/doctor", "internal/handover", "internal/http3", "internal/inbound", "internal/limit", "internal/metrics", "internal/tickets", "internal/tracing", "internal/watch", "internal/webhook"},
	"internal/logging":   {"proxy", "reason", "internal/printable"},
	"internal/tracing":   {"proxy", "reason"},
	"internal/bench":     {"internal/http1", "internal/http2", "internal/plot", "internal/printable"},
	"internal/demo":      {"balancer", "health", "proxy", "reason", "internal/plot"},
	"internal/top":       {"internal/admin", "internal/plot", "internal/printable"},
	"benchmarks/peers":   {"balancer", "internal/bench", "internal/config", "internal/gate", "internal/logging", "internal/metrics", "internal/plot"},
	"cmd/goodgate":       {"internal/admin", "internal/bench", "internal/config", "internal/convert", "internal/demo", "internal/diagnose", "internal/doctor", "internal/finding", "internal/gate", "internal/handover", "internal/haproxy", "internal/logging", "internal/metrics", "internal/nginxconf", "internal/printable", "internal/top"},
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
		name := strings.TrimPrefix(fields[0], module)
		for _, imported := range fields[1:] {
			own, ok := strings.CutPrefix(imported, module)
			if ok && !slices.Contains(allowed[name], own) {
				t.Errorf("%s imports %s; it may import %v", name, own, allowed[name])
			}
		}
	}
}

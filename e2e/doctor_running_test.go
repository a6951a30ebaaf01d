package e2e_test

import (
	"errors"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestDoctorRunning: the doctor includes the findings of a running goodgate.
func TestDoctorRunning(t *testing.T) {
	t.Parallel()
	a, b := startApp(t, "go", "a"), startApp(t, "go", "b")
	dir, admin := t.TempDir(), freeAddress(t)
	g := startGateIn(t, dir, `
listeners: ["${LISTEN}"]
admin: {address: "${ADMIN}"}
pools: {app: {upstreams: ["${A}", "${B}"]}}
`, "A="+a.url(), "B="+b.url(), "ADMIN="+admin)
	g.command(t, "drain", b.address, "--admin", admin)
	id := ask(t, g.address, "GET", "/?status=503").Header.Get("X-Request-Id")
	c := exec.Command(built.goodgate, "doctor", "--config", filepath.Join(dir, "goodgate.yaml"))
	c.Env = append(c.Environ(), "LISTEN="+g.address, "A="+a.url(), "B="+b.url(), "ADMIN="+admin)
	out, err := c.CombinedOutput()
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exit.ExitCode() != 3 {
		t.Errorf("goodgate doctor: %v, want exit code 3", err)
	}
	for _, want := range []string{"recent_failures", "goodgate why " + id + " -c " + filepath.Join(dir, "goodgate.yaml"), "upstream_status", "drained", "goodgate undrain " + b.address} {
		wantIn(t, "what the doctor says", string(out), want)
	}
}

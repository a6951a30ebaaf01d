package e2e_test

import (
	"os/exec"
	"strings"
	"testing"
)

// command runs goodgate to its end and returns its output.
func (g *gate) command(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command(built.goodgate, args...).CombinedOutput()
	if err != nil {
		t.Errorf("goodgate %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// An operator drains an upstream under load, checks the state, looks up why a request
// failed, and brings the upstream back.
func TestOperatorsCommands(t *testing.T) {
	t.Parallel()
	a, b := startApp(t, "go", "a"), startApp(t, "go", "b")
	admin := freeAddress(t)
	g := startGate(t, `
listeners: ["${LISTEN}"]
admin: {address: "${ADMIN}"}
pools: {app: {policy: first, upstreams: ["${A}", "${B}"]}}
`, "A="+a.url(), "B="+b.url(), "ADMIN="+admin)
	l := startLoad(t, load{address: fixed(g.address), rate: 100, methods: mixed, keepAlive: true})
	l.until("an answer of a", func(r result) bool { return r.app == "a" })
	for _, step := range []struct {
		args []string
		want string
	}{
		{[]string{"drain", a.address}, "pool app, " + a.address + ": drain"},
		{[]string{"status"}, "drained by an operator"},
	} {
		if got := g.command(t, append(step.args, "--admin", admin)...); !strings.Contains(got, step.want) {
			t.Errorf("goodgate %v: %q, want %q in it", step.args, got, step.want)
		}
	}
	l.until("an answer of b", func(r result) bool { return r.app == "b" })
	g.command(t, "undrain", a.address, "--pool", "app", "--admin", admin)
	l.until("an answer of a again", func(r result) bool { return r.app == "a" })
	wantAllAnswered(t, l.finish())

	id := ask(t, g.address, "GET", "/?status=503").Header.Get("X-Request-Id")
	if got := g.command(t, "why", id, "--admin", admin); !strings.Contains(got, "upstream_status") || !strings.Contains(got, "Attempt 2") {
		t.Errorf("why %s: %q", id, got)
	}
	g.finish()
}

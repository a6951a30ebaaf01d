package e2e_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestDeployScript: the example for CI systems needs only curl. It deploys a version, and
// prints the reason when a version does not start and is rolled back.
func TestDeployScript(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"curl", "sh"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed", program)
		}
	}
	old, next := startApp(t, "go", "old"), startApp(t, "go", "next")
	admin := freeAddress(t)
	g := startGate(t, `
listeners: ["${LISTEN}"]
admin: {address: "${ADMIN}", token: 0123456789abcdef}
pools: {app: {upstreams: ["${OLD}"], health: {interval: 100ms, fast_interval: 50ms}}}
`, "OLD="+old.url(), "ADMIN="+admin)
	deploy := func(token, options string, to ...string) (said string, code int) {
		t.Helper()
		c := exec.Command("sh", append([]string{"../deploy/examples/deploy.sh"}, to...)...)
		c.Env = append(os.Environ(), "GOODGATE_API=http://"+admin, "GOODGATE_TOKEN="+token, "DEPLOY_LOOK=0.2", "DEPLOY_OPTIONS="+options)
		out, err := c.CombinedOutput()
		if c.ProcessState == nil {
			t.Fatal(err)
		}
		return string(out), c.ProcessState.ExitCode()
	}
	const quick = `"steps": [100], "step_time": "100ms", "watch_for": "100ms", "drain_timeout": "1s", "ready_within": "500ms"`
	for _, step := range []struct {
		token, options string
		to             []string
		code           int
		says           string
	}{
		{"0123456789abcdef", quick, []string{"app", next.url()}, 0, "app: done, 100 %"},
		{"0123456789abcdef", quick, []string{"app", "http://" + freeAddress(t)}, 1, "app: back"},
		{"0123456789abcdef", quick, []string{"none", next.url()}, 2, "404"},
		{"another-token-000", quick, []string{"app", old.url()}, 2, "401 this needs a token"},
		{"0123456789abcdef", "", []string{"app"}, 2, "GOODGATE_API="},
	} {
		if said, code := deploy(step.token, step.options, step.to...); code != step.code || !strings.Contains(said, step.says) {
			t.Errorf("%v: exit code %d, want %d with %q\n%s", step.to, code, step.code, step.says, said)
		}
	}
	g.finish()
}

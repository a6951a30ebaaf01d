package e2e_test

import (
	"strings"
	"syscall"
	"testing"
)

// A process that is frozen while nobody asks it for anything is down by the default
// check, as `goodgate status` shows, and is used again when it goes on.
func TestFrozenProcessIsFound(t *testing.T) {
	t.Parallel()
	for _, language := range []string{"go", "node", "python"} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			frozen, other := startApp(t, language, "frozen"), startApp(t, "go", "other")
			admin := freeAddress(t)
			g := startGate(t, `
listeners: ["${LISTEN}"]
admin: {address: "${ADMIN}"}
pools: {app: {policy: first, upstreams: ["${A}", "${B}"]}}
`, "A="+frozen.url(), "B="+other.url(), "ADMIN="+admin)
			waitFor(t, "the first checks", func() bool { return g.messages("probes pass") >= 2 })

			frozen.signal(syscall.SIGSTOP)
			waitFor(t, "the checks of what is frozen to fail", func() bool { return g.messages("probes fail") > 0 })
			if got := g.command(t, "status", "--admin", admin); !strings.Contains(got, "its checks fail: waiting for any answer to OPTIONS *: no answer within 1s (timeout)") {
				t.Errorf("status: %q", got)
			}
			if got := ask(t, g.address, "GET", "/").echo(t).App; got != "other" {
				t.Errorf("a request was answered by %q, want the other", got)
			}

			frozen.signal(syscall.SIGCONT)
			waitFor(t, "its checks to pass", func() bool { return g.messages("probes pass") >= 3 })
			if got := g.command(t, "status", "--admin", admin); strings.Contains(got, "its checks fail") {
				t.Errorf("status: %q", got)
			}
			g.finish()
		})
	}
}

// Without a file, too.
func TestSidecarFindsFrozenProcess(t *testing.T) {
	t.Parallel()
	frozen, other := startApp(t, "go", "frozen"), startApp(t, "go", "other")
	g := startSidecar(t, frozen.url(), other.url())
	waitFor(t, "the first checks", func() bool { return g.messages("probes pass") >= 2 })
	frozen.signal(syscall.SIGSTOP)
	waitFor(t, "the checks of what is frozen to fail", func() bool { return g.messages("probes fail") > 0 })
	frozen.signal(syscall.SIGCONT)
	waitFor(t, "its checks to pass", func() bool { return g.messages("probes pass") >= 3 })
	g.finish()
}

// messages counts a message in the log.
func (g *gate) messages(msg string) (n int) {
	g.t.Helper()
	for _, e := range g.log() {
		if e.Msg == msg {
			n++
		}
	}
	return n
}

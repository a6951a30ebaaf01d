package e2e_test

import (
	"strings"
	"syscall"
	"testing"
)

// A process that is frozen while it gets no requests is down by the default check, as
// `goodgate status` shows, and is used again when it continues.
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

			frozen.freeze()
			waitFor(t, "the checks of what is frozen to fail", func() bool { return g.messages("probes fail") > 0 })
			if got := g.command(t, "status", "--admin", admin); !strings.Contains(got, "health check failing: waiting for any answer to OPTIONS *: no answer within 1s (timeout)") {
				t.Errorf("status: %q", got)
			}
			if got := ask(t, g.address, "GET", "/").echo(t).App; got != "other" {
				t.Errorf("a request was answered by %q, want the other", got)
			}

			frozen.signal(syscall.SIGCONT)
			waitFor(t, "its checks to pass", func() bool { return g.messages("probes pass") >= 3 })
			if got := g.command(t, "status", "--admin", admin); strings.Contains(got, "health check failing") {
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
	frozen.freeze()
	waitFor(t, "the checks of what is frozen to fail", func() bool { return g.messages("probes fail") > 0 })
	frozen.signal(syscall.SIGCONT)
	waitFor(t, "its checks to pass", func() bool { return g.messages("probes pass") >= 3 })
	g.finish()
}

// A request that waits for a process just frozen is answered by another upstream, and
// the log gives the cause, without other requests and before any failed check. A slow
// request is sent only once.
func TestRequestToFrozenProcess(t *testing.T) {
	t.Parallel()
	for _, language := range []string{"go", "node", "python"} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			frozen, other := startApp(t, language, "frozen"), startApp(t, "go", "other")
			g := startGate(t, `
listeners: ["${LISTEN}"]
pools: {app: {policy: first, breaker: {enabled: false}, health: {fall: 100}, upstreams: ["${A}", "${B}"]}}
`, "A="+frozen.url(), "B="+other.url())
			waitFor(t, "the first checks", func() bool { return g.messages("probes pass") >= 2 })
			if got := ask(t, g.address, "GET", "/?wait=2000"); got.echo(t).App != "frozen" || len(g.request(got.Header.Get("X-Request-Id")).Attempts) > 0 {
				t.Errorf("a request that takes long was answered by %s, after %+v", got.echo(t).App, g.request(got.Header.Get("X-Request-Id")).Attempts)
			}
			frozen.freeze()
			res := ask(t, g.address, "GET", "/")
			if got := res.echo(t).App; got != "other" {
				t.Errorf("answered by %q, want the other", got)
			}
			if e := g.request(res.Header.Get("X-Request-Id")); len(e.Attempts) != 2 || e.Attempts[1].Because != "hung" {
				t.Errorf("attempts: %+v, want the second because the first hung", e.Attempts)
			}
			frozen.signal(syscall.SIGCONT)
			g.finish()
		})
	}
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

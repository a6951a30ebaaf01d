package e2e_test

import (
	"syscall"
	"testing"
)

const twoApps = `
listeners: ["${LISTEN}"]
pools:
  app:
    upstreams: ["${A}", "${B}"]
    health: {path: /healthz, interval: 200ms, fast_interval: 100ms, timeout: 150ms}
`

// A deploy breaks the health endpoint of every server while the application
// works: traffic goes on, and the log says loudly what is wrong.
func TestDeployBreaksHealthEndpoint(t *testing.T) {
	t.Parallel()
	apps := []*app{startApp(t, "go", "a"), startApp(t, "node", "b")}
	g := startGate(t, twoApps, "A="+apps[0].url(), "B="+apps[1].url())
	l := startLoad(t, load{address: fixed(g.address), rate: 100, methods: safe, keepAlive: true})
	for _, a := range apps {
		l.until("an answer of "+a.name, func(r result) bool { return r.app == a.name })
		a.kill()
		a.env = []string{"HEALTH_STATUS=500"}
		a.start()
	}
	for _, a := range apps {
		l.until("an answer of "+a.name+" without a passing probe", func(r result) bool { return r.app == a.name })
	}
	l.more(100)
	results := l.finish()
	e := g.waitMessage("no upstream passes its probes")
	if e.Level != "WARN" {
		t.Errorf("level of %q: %s, want WARN", e.Msg, e.Level)
	}
	g.finish()
	wantAllAnswered(t, results)
}

// The same from the start: no probe has ever passed.
func TestHealthEndpointNeverPassed(t *testing.T) {
	t.Parallel()
	a, b := startApp(t, "go", "a", "HEALTH_STATUS=500"), startApp(t, "go", "b", "HEALTH_STATUS=404")
	g := startGate(t, twoApps, "A="+a.url(), "B="+b.url())
	l := startLoad(t, load{address: fixed(g.address), rate: 100, methods: safe, keepAlive: true})
	l.more(100)
	wantAllAnswered(t, l.finish())
	g.waitMessage("no upstream passes its probes")
	g.finish()
}

const impatient = `
listeners: ["${LISTEN}"]
pools:
  app:
    policy: ${POLICY}
    upstreams: ["${A}", "${B}"]
    timeouts: {response_header: 500ms}
    breaker: {open_for: 1s}
`

// A server freezes: the system still accepts connections for it, so that
// probes by TCP pass, and nothing ever comes back. By default the policy avoids
// it; where the policy does not look, the breaker takes it out.
func TestServerFreezes(t *testing.T) {
	t.Parallel()
	for _, policy := range []string{"peak_ewma", "round_robin"} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			a, b := startApp(t, "go", "a"), startApp(t, "go", "b")
			g := startGate(t, impatient, "POLICY="+policy, "A="+a.url(), "B="+b.url())
			l := startLoad(t, load{address: fixed(g.address), rate: 100, methods: []string{"GET"}, keepAlive: true})
			l.until("an answer of a", func(r result) bool { return r.app == "a" })
			a.signal(syscall.SIGSTOP)
			if policy == "round_robin" {
				g.waitMessage("upstream unavailable")
			}
			l.more(100)
			a.signal(syscall.SIGCONT)
			l.until("an answer of a after it went on", func(r result) bool { return r.app == "a" })
			results := l.finish()
			g.finish()
			wantAllAnswered(t, results)
			if absorbed(g) == 0 {
				t.Error("no request met the frozen server: the test has tested nothing")
			}
		})
	}
}

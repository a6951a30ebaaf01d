package e2e_test

import (
	"syscall"
	"testing"
)

const twoApps = `
listeners: ["${LISTEN}"]
pools:
  app:
    policy: round_robin
    upstreams: ["${A}", "${B}"]
    health: {path: /healthz, interval: 200ms, fast_interval: 100ms, timeout: 150ms}
`

// A deploy breaks the health endpoint of every server while the application works:
// traffic continues, and the log reports the cause.
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
// probes by TCP pass, and nothing ever comes back.
func TestServerFreezes(t *testing.T) {
	t.Parallel()
	// The policy avoids it after the first timeout.
	t.Run("peak_ewma", func(t *testing.T) {
		t.Parallel()
		f := newFreeze(t, "peak_ewma")
		waitFor(t, "a request to meet the frozen server", func() bool { return absorbed(f.gate) > 0 })
		f.load.more(100)
		wantAllAnswered(t, f.load.finish())
		f.gate.finish()
	})
	// If the policy does not notice it, the breaker takes it out of rotation, and lets
	// it back.
	t.Run("round_robin", func(t *testing.T) {
		t.Parallel()
		f := newFreeze(t, "round_robin")
		f.gate.waitMessage("upstream unavailable")
		f.load.more(100)
		f.frozen.signal(syscall.SIGCONT)
		f.load.until("an answer of the server that goes on", func(r result) bool { return r.app == f.frozen.name })
		wantAllAnswered(t, f.load.finish())
		f.gate.finish()
	})
}

// freeze is a load on two servers, one of which has just been frozen. It is the faster
// one, so that every policy would use it.
type freeze struct {
	gate   *gate
	frozen *app
	load   *running
}

func newFreeze(t *testing.T, policy string) *freeze {
	t.Helper()
	a, b := startApp(t, "go", "a"), startApp(t, "go", "b", "DELAY_MS=5")
	f := &freeze{frozen: a, gate: startGate(t, impatient, "POLICY="+policy, "A="+a.url(), "B="+b.url())}
	f.load = startLoad(t, load{address: fixed(f.gate.address), rate: 100, methods: []string{"GET"}, keepAlive: true})
	f.load.until("an answer of a", func(r result) bool { return r.app == "a" })
	a.freeze()
	return f
}

// One pool's checks count for another: its health page fails, and both pools leave the
// server out, which gets no check of the second pool.
func TestChecksOfAnotherPool(t *testing.T) {
	t.Parallel()
	apps := []*app{startApp(t, "go", "a"), startApp(t, "node", "b")}
	g := startGate(t, `
listeners: ["${LISTEN}"]
routes: [{match: {path: "/second/*"}, pool: second}, {pool: app}]
pools:
  app: {upstreams: ["${A}", "${B}"], health: {path: /healthz, interval: 100ms, fast_interval: 50ms}}
  second: {upstreams: ["${A}", "${B}"], health: {from: app}}
`, "A="+apps[0].url(), "B="+apps[1].url())
	down := func(e entry) bool { return e.Msg == "probes fail" && e.Pool == "second" }
	apps[0].kill()
	apps[0].env = []string{"HEALTH_STATUS=500"}
	apps[0].start()
	g.waitLog("the verdict in the second pool", down)
	g.finish()
}

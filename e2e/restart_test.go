package e2e_test

import (
	"strings"
	"testing"
	"time"
)

// round_robin gives each server its share, however fast the server is.
const threeApps = `
listeners: ["${LISTEN}"]
trusted_proxies: [127.0.0.0/8]
pools:
  app:
    policy: round_robin
    upstreams: ["${A}", "${B}", "${C}"]
    health: {path: /healthz}
`

// Each of three application servers behind nginx and goodgate is killed in
// turn and comes back, under steady load: clients notice nothing.
func TestServersKilledInTurn(t *testing.T) {
	t.Parallel()
	apps := []*app{
		startApp(t, "node", "node", "DELAY_MS=5"),
		startApp(t, "python", "python", "DELAY_MS=5"),
		startApp(t, "go", "go", "DELAY_MS=5"),
	}
	g := startGate(t, threeApps, "A="+apps[0].url(), "B="+apps[1].url(), "C="+apps[2].url())
	front := startNginx(t, g.address)
	l := startLoad(t, load{address: fixed(front.address), rate: 150, methods: mixed, keepAlive: true})
	for _, a := range apps {
		l.until("an answer of "+a.name, func(r result) bool { return r.app == a.name })
		a.kill()
		l.more(100)
		a.start()
		l.until("an answer of "+a.name+" after its restart", func(r result) bool { return r.app == a.name })
	}
	results := l.finish()
	g.finish()
	wantNoneFailed(t, g, results)
	if got := absorbed(g); got == 0 {
		t.Error("no attempt failed: the test has tested nothing")
	} else {
		t.Logf("%d requests met a dead server and were answered all the same; answers by app: %v", got, servedBy(results))
	}
}

// One of two servers is back and passes its probes, while its breaker is still open,
// when the other one is killed. It is tried at once. Otherwise requests would wait for
// the breaker longer than the test allows.
func TestServersKilledWhileTheOthersBreakerIsOpen(t *testing.T) {
	t.Parallel()
	a, b := startApp(t, "node", "a", "DELAY_MS=2"), startApp(t, "node", "b", "DELAY_MS=2")
	g := startGate(t, `
listeners: ["${LISTEN}"]
pools:
  app:
    policy: round_robin
    upstreams: ["${A}", "${B}"]
    health: {path: /healthz}
    breaker: {consecutive: 1, open_for: 1m, max_open_for: 1m, max_ejected: 100%}
    hold: {for: 10s}
`, "A="+a.url(), "B="+b.url())
	l := startLoad(t, load{address: fixed(g.address), rate: 100, methods: safe, keepAlive: true})
	l.more(20)
	a.kill()
	g.waitLog("the breaker of a to be open", func(e entry) bool {
		return e.Msg == "upstream unavailable" && e.Upstream == a.address && e.Breaker == "open"
	})
	g.waitMore("the probes of a to pass", "probes pass", a, a.start)
	b.kill()
	l.until("an answer of a", func(r result) bool { return r.app == "a" })
	l.more(100)
	results := l.finish()
	g.finish()
	wantNoneFailed(t, g, results)
	early, longest := 0, 0.0
	for _, e := range g.log() {
		if e.Msg == "upstream available" && strings.Contains(e.Why, "the breaker lets a trial through early") {
			early++
		}
		longest = max(longest, e.HeldMS)
	}
	if early != 1 {
		t.Errorf("the log tells of %d early trials, want 1", early)
	}
	t.Logf("%d requests, held for at most %v ms", len(results), longest)
}

// downtime is how long an application is away while it restarts.
const downtime = 1500 * time.Millisecond

// An application with goodgate as its sidecar restarts, and is the only
// upstream: requests wait for it.
func TestSidecarHoldsRequestsWhileTheOnlyAppRestarts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		start func(t *testing.T, a *app) *gate
	}{
		{"without a health path", func(t *testing.T, a *app) *gate { return startSidecar(t, a.url()) }},
		{"with a health path", func(t *testing.T, a *app) *gate {
			return startGate(t, `
listeners: ["${LISTEN}"]
pools:
  app:
    upstreams: ["${A}"]
    health: {path: /healthz}
`, "A="+a.url())
		}},
		{"without health checks", func(t *testing.T, a *app) *gate {
			return startGate(t, `
listeners: ["${LISTEN}"]
pools:
  app:
    upstreams: ["${A}"]
    health: {type: none}
`, "A="+a.url())
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a := startApp(t, "node", "node")
			restartTheOnlyApp(t, test.start(t, a), a)
		})
	}
}

// The same over a unix socket, which is left behind by the killed server.
func TestSidecarOverUnixSocket(t *testing.T) {
	t.Parallel()
	a := startAppAt(t, "node", "node", "unix:"+t.TempDir()+"/app.sock")
	restartTheOnlyApp(t, startSidecar(t, a.url()), a)
}

func restartTheOnlyApp(t *testing.T, g *gate, a *app) {
	l := startLoad(t, load{address: fixed(g.address), rate: 60, methods: mixed, keepAlive: true})
	l.more(30)
	a.kill()
	<-time.After(downtime)
	a.start()
	l.more(60)
	results := l.finish()
	g.finish()
	wantNoneFailed(t, g, results)
	if absorbed(g) == 0 {
		t.Error("no request waited: the test has tested nothing")
	}
}

// An application has two addresses, over TCP and a unix socket. Either may fail.
func TestSidecarWithTwoUpstreams(t *testing.T) {
	t.Parallel()
	tcp := startApp(t, "node", "tcp")
	unix := startAppAt(t, "go", "unix", "unix:"+t.TempDir()+"/app.sock")
	g := startSidecar(t, tcp.url(), unix.url())
	l := startLoad(t, load{address: fixed(g.address), rate: 100, methods: mixed, keepAlive: true})
	for _, a := range []*app{tcp, unix, tcp} {
		l.more(50)
		a.kill()
		l.more(50)
		a.start()
		g.waitAvailable(a)
	}
	results := l.finish()
	g.finish()
	wantNoneFailed(t, g, results)
}

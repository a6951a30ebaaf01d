package e2e_test

import (
	"testing"
)

// A server is killed while it executes a request. The method, or the application's
// promise, decides whether the other server may get the request. If it may not, the
// client gets the reason, and the request is never executed twice.
func TestServerKilledDuringRequests(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/", 200},
		{"PUT", "/", 200},
		{"DELETE", "/", 200},
		{"POST", "/", 502},
		{"POST", "/safe/", 200},
	} {
		t.Run(test.method+test.path, func(t *testing.T) {
			t.Parallel()
			killAtWork(t, test.method, test.path+"?wait=500", test.status)
		})
	}
}

func killAtWork(t *testing.T, method, target string, status int) {
	a, b := startApp(t, "go", "a"), startApp(t, "go", "b")
	g := startGate(t, `
listeners: ["${LISTEN}"]
routes:
  - {match: {path: "/safe/*"}, pool: app, retry_safe: true}
  - {pool: app}
pools:
  app: {policy: first, upstreams: ["${A}", "${B}"]}
`, "A="+a.url(), "B="+b.url())
	g.waitAvailable(a)
	c, r := connect(t, g.address), request(t, method, target)
	answered := make(chan *answer, 1)
	go func() {
		res, _ := c.do(r)
		answered <- res
	}()
	a.waitBegan(method, target)
	a.kill()
	res := <-answered
	if res == nil {
		t.Fatal("no answer")
	}
	e := g.request(res.Header.Get("X-Request-Id"))
	if res.StatusCode != status {
		t.Errorf("status %d, want %d; the log says %+v", res.StatusCode, status, e)
	}
	if status == 200 {
		if got := res.echo(t).App; got != "b" || len(e.Attempts) != 2 {
			t.Errorf("answered by %s after %d attempts, want b after 2", got, len(e.Attempts))
		}
		return
	}
	want := `goodgate; error=connection_terminated; details="closed_before_response"`
	if got := res.Header.Get("Proxy-Status"); got != want || !notSafe(e) || len(e.Attempts) != 1 {
		t.Errorf("Proxy-Status %s after %d attempts, decision not_safe %t; want %s after 1, true", got, len(e.Attempts), notSafe(e), want)
	}
}

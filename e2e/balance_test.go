package e2e_test

import (
	"fmt"
	"strings"
	"testing"
)

func TestHashKeepsPathsTogether(t *testing.T) {
	t.Parallel()
	a, b := startApp(t, "go", "a"), startApp(t, "go", "b")
	g := startGate(t, `
listeners: ["${LISTEN}"]
pools:
  app: {policy: hash, hash: {on: path}, upstreams: ["${A}", "${B}"]}
`, "A="+a.url(), "B="+b.url())
	g.waitAvailable(a)
	g.waitAvailable(b)
	home, used := map[string]string{}, map[string]bool{}
	for n := range 60 {
		path := fmt.Sprintf("/images/%d", n%20)
		app := ask(t, g.address, "GET", path).echo(t).App
		if home[path] == "" {
			home[path] = app
		}
		if app != home[path] {
			t.Errorf("%s went to %s, before to %s", path, app, home[path])
		}
		used[app] = true
	}
	if len(used) != 2 {
		t.Errorf("20 paths went to %v, want both apps", used)
	}
}

func TestStickyFollowsItsCookie(t *testing.T) {
	t.Parallel()
	apps := map[string]*app{"a": startApp(t, "go", "a"), "b": startApp(t, "go", "b")}
	g := startGate(t, `
listeners: ["${LISTEN}"]
pools:
  app:
    policy: sticky
    sticky: {secret: 0123456789abcdef0123456789abcdef, cookie: pin}
    upstreams: ["${A}", "${B}"]
`, "A="+apps["a"].url(), "B="+apps["b"].url())
	first := ask(t, g.address, "GET", "/")
	home, cookie := first.echo(t).App, pinOf(t, first)
	for range 10 {
		again := ask(t, g.address, "GET", "/", "Cookie: "+cookie)
		if got := again.echo(t).App; got != home {
			t.Errorf("with the cookie of %s: served by %s", home, got)
		}
		if len(again.Cookies()) != 0 {
			t.Errorf("a client that is pinned got a cookie again: %v", again.Cookies())
		}
	}
	apps[home].kill()
	moved := ask(t, g.address, "GET", "/", "Cookie: "+cookie)
	if got := moved.echo(t).App; got == home {
		t.Fatalf("served by %s, which was killed", got)
	}
	if got := pinOf(t, moved); got == cookie {
		t.Error("the client that had to move kept its old cookie")
	}
}

func pinOf(t *testing.T, a *answer) string {
	t.Helper()
	for _, c := range a.Cookies() {
		if c.Name == "pin" && c.HttpOnly && !c.Secure {
			return c.Name + "=" + c.Value
		}
	}
	t.Fatalf("no cookie in %v", a.Header)
	return ""
}

// The backup is used while the others are down, and not otherwise.
func TestBackupTier(t *testing.T) {
	t.Parallel()
	main, backup := startApp(t, "go", "main"), startApp(t, "node", "backup")
	g := startGate(t, `
listeners: ["${LISTEN}"]
pools:
  app:
    upstreams: ["${A}", {url: "${B}", tier: 1}]
`, "A="+main.url(), "B="+backup.url())
	g.waitAvailable(main)
	l := startLoad(t, load{address: fixed(g.address), rate: 100, methods: safe, keepAlive: true})
	l.more(50)
	if n := servedBy(l.answered())["backup"]; n > 0 {
		t.Errorf("the backup got %d requests while the others were up", n)
	}
	main.kill()
	l.until("an answer of the backup", func(r result) bool { return r.app == "backup" })
	l.more(50)
	main.start()
	l.until("an answer of the main server after its restart", func(r result) bool { return r.app == "main" })
	wantAllAnswered(t, l.finish())
}

func TestErrorPages(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, dir, "error.html", "<h1>{{.Status}} of ours</h1>{{.Reason}}")
	const config = `
listeners: ["${LISTEN}"]
errors: {html: "${HTML:-}", details: true}
pools:
  app: {upstreams: ["${A}"], hold: {for: 0s}, health: {type: none}}
`
	down := freeAddress(t)
	builtIn := startGateIn(t, dir, config, "A=http://"+down)
	own := startGateIn(t, dir, config, "A=http://"+down, "HTML=error.html")
	for _, test := range []struct {
		gate                       *gate
		accept, contentType, holds string
	}{
		{builtIn, "text/html,*/*;q=0.8", "text/html; charset=utf-8", "<code>connect_refused</code>"},
		{builtIn, "application/json", "application/json", `"reason":"connect_refused"`},
		{builtIn, "*/*", "text/plain; charset=utf-8", "reason: connect_refused"},
		{own, "text/html", "text/html; charset=utf-8", "<h1>502 of ours</h1>connect_refused"},
	} {
		a := ask(t, test.gate.address, "GET", "/", "Accept: "+test.accept)
		if got := a.Header.Get("Content-Type"); a.StatusCode != 502 || got != test.contentType || !strings.Contains(a.body, test.holds) {
			t.Errorf("Accept %s: status %d, %s, body\n%s\nwant 502, %s, with %s in it", test.accept, a.StatusCode, got, a.body, test.contentType, test.holds)
		}
		want := fmt.Sprintf(`goodgate; error=connection_refused; next-hop=%q; details="connect_refused"`, down)
		if got := a.Header.Get("Proxy-Status"); got != want {
			t.Errorf("Proxy-Status %s, want %s", got, want)
		}
	}
}

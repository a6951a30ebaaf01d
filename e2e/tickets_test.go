package e2e_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/goodgate/goodgate/internal/lab/certtest"
)

// comesBack connects, sends a request, and reports whether the client resumed a session.
func comesBack(t *testing.T, address string, c *tls.Config) bool {
	t.Helper()
	conn, err := tls.Dial("tcp", address, c)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	answer, err := io.ReadAll(conn) // with the tickets of TLS 1.3
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 200") {
		t.Fatalf("%.60q, %v", answer, err)
	}
	return conn.ConnectionState().DidResume
}

// Clients resume their sessions after a reload that replaces the listener and after an
// upgrade, in both versions of TLS. A listener whose client_ca has changed resumes no
// earlier session.
func TestSessionsSurviveUpgradeAndReload(t *testing.T) {
	t.Parallel()
	a := startApp(t, "go", "a")
	ca, dir, address := certtest.NewAuthority(t, "authority"), t.TempDir(), freeAddress(t)
	cert, key := ca.Files(dir, "site", ca.Issue("127.0.0.1"))
	configure := func(more string) string {
		return writeFile(t, dir, "goodgate.yaml", fmt.Sprintf(
			"listeners: [{address: %q, tls: {certificates: [{cert: %q, key: %q}], %s}}]\nshutdown: {lame_duck: 0s, grace: 1s}\npools: {app: {upstreams: [%q]}}\n",
			address, cert, key, more, a.url()))
	}
	file := configure("")
	g := &gate{address: address}
	g.process = startProcess(t, "goodgate", nil, "sh", "-c", fmt.Sprintf("%s run -c %s; sleep 600", built.goodgate, filepath.ToSlash(file)))
	g.dull = isPlain
	g.ready("tcp", address)
	pid := g.servingPID(1)
	client := func(version uint16) *tls.Config {
		return &tls.Config{RootCAs: ca.Pool(), MaxVersion: version, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
	}
	clients := map[string]*tls.Config{"TLS 1.2": client(tls.VersionTLS12), "TLS 1.3": client(tls.VersionTLS13)}
	step := func(what string, want bool) {
		t.Helper()
		for name, c := range clients {
			if got := comesBack(t, address, c); got != want {
				t.Errorf("%s, %s: resumed %v, want %v", name, what, got, want)
			}
		}
	}
	reloads := 0
	reload := func(more string) {
		t.Helper()
		configure(more)
		syscall.Kill(pid, syscall.SIGHUP)
		reloads++
		waitFor(t, "the reload", func() bool { return strings.Count(g.out.String(), `"msg":"configuration reloaded"`) == reloads })
	}
	step("the first time", false)
	step("again", true)
	reload("min_version: \"1.2\"}, timeouts: {header: 3s")
	step("after a reload", true)
	for n := range 2 {
		syscall.Kill(pid, syscall.SIGUSR2)
		pid = g.servingPID(n + 2)
		waitFor(t, "the process before to end", func() bool { return strings.Count(g.out.String(), `"msg":"ended"`) == n+1 })
		reloads = strings.Count(g.out.String(), `"msg":"configuration reloaded"`)
		step("after an upgrade", true)
	}
	reload(fmt.Sprintf("client_ca: %q, client_auth: optional", ca.File(dir)))
	step("after another client_ca", false)
	step("again", true)
	syscall.Kill(pid, syscall.SIGTERM)
}

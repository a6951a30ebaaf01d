package gate

import (
	"fmt"
	"net"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/internal/lab/certtest"
	"github.com/goodgate/goodgate/internal/metrics"
)

// TestFailedReloadsLeaveNothing repeats reloads that must fail, and counts goroutines,
// files and servers. Each configuration also has a part that succeeds, so that the reload
// has something to undo.
func TestFailedReloadsLeaveNothing(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	ca, dir := certtest.NewAuthority(t, "authority"), t.TempDir()
	cert, key := ca.Files(dir, "c", ca.Issue("a.test"))
	one := app(t, "one")
	sock := "unix:" + filepath.Join(dir, "s")
	files := fmt.Sprintf("certificates: [{cert: %q, key: %q}]", cert, key)
	secure := fmt.Sprintf("{address: \"127.0.0.1:0\", http3: {enabled: true}, tls: {%s}}", files)
	acme := fmt.Sprintf(`acme: {hosts: [%%s], accept_terms: true, directory: "https://127.0.0.1:1/dir", cache: %q}`, dir)
	const yaml = "listeners: [%s]\nshutdown: {lame_duck: 0s, grace: 0s}\n%s\nroutes: [{pool: app}]\npools: {app: {upstreams: [%q]%s}}"
	present := fmt.Sprintf(`%q, %s, {address: "127.0.0.1:0", tls: {%s}}`, sock, secure, fmt.Sprintf(acme, "a.test"))
	bad := fmt.Sprintf("%q", taken.Addr())
	g := start(t, parse(t, fmt.Sprintf(yaml, present, "", one, "")), Options{Metrics: metrics.New(metrics.Build{})})

	free := freeTCPTakenUDP(t)
	goroutines, open := runtime.NumGoroutine(), openFiles(t)
	before := g.gate.current.Load()
	for _, test := range []struct{ name, listeners, more, pool, want string }{
		{"a new listener", `"127.0.0.1:0", ` + bad, "", "", "listeners[1]"},
		{"a changed listener", fmt.Sprintf("{address: %q, max_header: 1KiB}, ", sock) + bad, "", "", "listeners[1]"},
		{"HTTP/3", secure + ", " + secure + ", " + bad, "", "", "listeners[2]"},
		{"changed HTTP/3", strings.Replace(secure, "enabled: true", "enabled: true, max_streams: 7", 1) + ", " + bad, "", "", "listeners[1]"},
		{"HTTP/3 without a socket", fmt.Sprintf("{address: %q, http3: {enabled: true}, tls: {%s}}, %s", free, files, secure), "", "", "listeners[0]: http3"},
		{"no certificate", secure + `, {address: "127.0.0.1:0", tls: {certificates: [{cert: /nowhere, key: /nowhere}]}}`, "", "", "listeners[1]"},
		{"ACME", fmt.Sprintf(`{address: "127.0.0.1:0", tls: {%s}}, `, fmt.Sprintf(acme, "b.test")) + bad, "", "", "listeners[1]"},
		{"the admin API", secure + `, ":0"`, fmt.Sprintf("admin: {address: %q}", taken.Addr()), "", "admin.address"},
		{"the admin API is available", secure + ", " + bad, "admin: {address: \"localhost:0\", flight: 1s}", "", "listeners[1]"},
		{"an error page", secure, "errors: {html: /nowhere.html}", "", "errors.html"},
		{"a pool", secure, "", fmt.Sprintf("}, b: {upstreams: [%q]}, c: {upstreams: [\"https://127.0.0.1:1\"], tls: {ca: /nowhere}", one), "pools.c"},
	} {
		for range 10 {
			_, err := g.gate.Reload(parse(t, fmt.Sprintf(yaml, test.listeners, test.more, one, test.pool)))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: got %v, want an error about %s", test.name, err, test.want)
			}
		}
		eventually(t, test.name+": goroutines and files to be as few as before", func() bool {
			return runtime.NumGoroutine() <= goroutines+3 && openFiles(t) <= open+3
		}, func() string {
			return fmt.Sprint(runtime.NumGoroutine(), openFiles(t), " before ", goroutines, open)
		})
		if n := len(g.gate.issuers); n != 1 {
			t.Errorf("%s: %d issuers are left, want 1", test.name, n)
		}
	}
	if g.gate.current.Load() != before {
		t.Error("what the gate consists of has changed")
	}
	// HTTP/3's sockets: that of the listener that is served, and no other.
	g.gate.udp.mu.Lock()
	defer g.gate.udp.mu.Unlock()
	if n := len(g.gate.udp.set); n != 1 {
		t.Errorf("%d UDP sockets are open, want 1", n)
	}
	for _, k := range g.gate.udp.set {
		if k.users != 1 {
			t.Errorf("the UDP socket has %d users, want 1", k.users)
		}
	}
}

// freeTCPTakenUDP returns an address with a UDP port that is taken and a TCP port
// that is free.
func freeTCPTakenUDP(t *testing.T) string {
	t.Helper()
	for range 100 {
		u, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { u.Close() })
		if l, err := net.Listen("tcp", u.LocalAddr().String()); err == nil {
			l.Close()
			return u.LocalAddr().String()
		}
	}
	t.Fatal("no port is free")
	return ""
}

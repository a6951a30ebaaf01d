package e2e_test

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/lab/certtest"
)

// secureEtcd is an etcd that requires client certificates and a login. The user gate may
// read /web/. The test is root.
type secureEtcd struct {
	*etcd
	dir string // ca.pem, client.pem, client.key, password
}

func startSecureEtcd(t *testing.T, args ...string) *secureEtcd {
	t.Helper()
	ca, dir, address := certtest.NewAuthority(t, "etcd"), shortDir(t), freeAddress(t)
	file := ca.File(dir)
	cert, key := ca.Files(dir, "server", ca.Issue("127.0.0.1"))
	mine := ca.Issue() // with a login, etcd's JSON gateway refuses common names
	ca.Files(dir, "client", mine)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.Pool(), Certificates: []tls.Certificate{mine}}}
	t.Cleanup(transport.CloseIdleConnections)
	e := &secureEtcd{dir: dir, etcd: startEtcdAt(t, "https://"+address, &http.Client{Transport: transport},
		append([]string{"--cert-file", cert, "--key-file", key, "--client-cert-auth", "--trusted-ca-file", file}, args...)...)}
	e.ask("/v3/auth/role/add", map[string]any{"name": "reader"})
	e.allow()
	for user, role := range map[string]string{"root": "root", "gate": "reader"} {
		e.ask("/v3/auth/user/add", map[string]any{"name": user, "password": "first " + user})
		e.ask("/v3/auth/user/grant", map[string]any{"user": user, "role": role})
	}
	e.ask("/v3/auth/enable", nil)
	e.login()
	writeFile(t, dir, "password", "first gate\n")
	return e
}

// login is needed again after each change of users and roles.
func (e *secureEtcd) login() {
	e.t.Helper()
	e.token = ""
	e.token = e.ask("/v3/auth/authenticate", map[string]any{"name": "root", "password": "first root"})["token"].(string)
}

// allow lets the role read the prefix.
func (e *secureEtcd) allow() {
	e.t.Helper()
	e.ask("/v3/auth/role/grant", map[string]any{"name": "reader", "perm": map[string]any{
		"permType": "READ", "key": []byte("/web/"), "range_end": []byte("/web0")}})
}

// forbid undoes allow.
func (e *secureEtcd) forbid() {
	e.t.Helper()
	e.ask("/v3/auth/role/revoke", map[string]any{"role": "reader", "key": "/web/", "range_end": "/web0"})
}

// rename changes the password of the user gate, and writes it to goodgate's file.
func (e *secureEtcd) rename(password string) {
	e.t.Helper()
	writeFile(e.t, e.dir, "password", password)
	e.ask("/v3/auth/user/changepw", map[string]any{"name": "gate", "password": password})
	e.login()
}

func (e *secureEtcd) gate() (*gate, func() admin.Pool) {
	e.t.Helper()
	file := func(name string) string { return filepath.Join(e.dir, name) }
	return startSource(e.t, fmt.Sprintf("{etcd: {prefix: /web/, endpoints: [%q], wait: 1s, username: gate, password_file: %q, tls: {ca: %q, cert: %q, key: %q}}}",
		e.url, file("password"), file("ca.pem"), file("client.pem"), file("client.key")))
}

// jwt are the arguments with which etcd signs its tokens. etcd rejects such a token after a
// change of users or roles.
func jwt(t *testing.T) []string {
	dir := t.TempDir()
	ca := certtest.NewAuthority(t, "jwt")
	cert, key := ca.Files(dir, "jwt", ca.Issue("jwt"))
	return []string{"--auth-token", fmt.Sprintf("jwt,pub-key=%s,priv-key=%s,sign-method=ES256,ttl=1m", cert, key)}
}

// TestEtcdLogin makes etcd reject goodgate's token, because its user's password or role has
// changed. goodgate logs in again, and the source does not fail once.
func TestEtcdLogin(t *testing.T) {
	t.Parallel()
	for name, args := range map[string]func(*testing.T) []string{"simple": func(*testing.T) []string { return nil }, "jwt": jwt} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := startSecureEtcd(t, args(t)...)
			one, two := startApp(t, "go", "one"), startApp(t, "go", "two")
			e.put("/web/1", one.url())
			g, pool := e.gate()
			upstreams := func(n int) {
				t.Helper()
				waitFor(t, fmt.Sprintf("%d upstreams", n), func() bool { return len(pool().Upstreams) == n })
			}
			upstreams(1)
			e.rename("second gate")
			e.put("/web/2", two.url())
			upstreams(2)
			e.ask("/v3/auth/role/grant", map[string]any{"name": "reader", "perm": map[string]any{"permType": "READ", "key": []byte("/more/")}})
			e.login()
			e.ask("/v3/kv/deleterange", map[string]any{"key": "/web/1"})
			upstreams(1)
			if s := pool().Sources[0]; s.Failures > 0 {
				t.Errorf("the source has failed %d times, want none", s.Failures)
			}
			g.finish()
		})
	}
}

// TestEtcdLoginIsRefused removes goodgate's permission, then its password, and restarts
// etcd, under load. Each time the status gives the cause, the set stays, and no request
// fails.
func TestEtcdLoginIsRefused(t *testing.T) {
	if os.Getenv("GOODGATE_LONG") == "" {
		t.Skip("takes some seconds: GOODGATE_LONG=1; TestEtcdLogin is the short version")
	}
	t.Parallel()
	e := startSecureEtcd(t, "--auth-token-ttl", "1")
	one, two, three := startApp(t, "go", "one"), startApp(t, "go", "two"), startApp(t, "go", "three")
	e.put("/web/1", one.url())
	g, pool := e.gate()
	l := startLoad(t, load{address: fixed(g.address), rate: 100, methods: safe, keepAlive: true})
	l.until("an answer of one", func(r result) bool { return r.app == "one" })
	fails := func(want string) {
		t.Helper()
		waitFor(t, "the error "+want, func() bool { return strings.Contains(pool().Sources[0].Error, want) })
		if p := pool(); len(p.Upstreams) != 1 {
			t.Errorf("while it fails: %d upstreams", len(p.Upstreams))
		}
	}
	works := func() {
		t.Helper()
		waitFor(t, "the source to work", func() bool { return pool().Sources[0].Error == "" })
	}
	e.forbid()
	fails(`goodgate needs a role with the permission to read the prefix "/web/"`)
	e.login()
	e.allow()
	works()
	e.login()
	e.ask("/v3/auth/user/changepw", map[string]any{"name": "gate", "password": "unknown"})
	fails("logging in as gate: answered 400 Bad Request: etcdserver: authentication failed, invalid user ID or password")
	e.login()
	e.rename("third gate")
	works()
	e.kill()
	waitFor(t, "the status to say that etcd is lost", func() bool { return pool().Sources[0].Error != "" })
	e.start(t)
	e.login()
	e.put("/web/2", two.url())
	l.until("an answer of two", func(r result) bool { return r.app == "two" })
	revision := e.ask("/v3/kv/range", map[string]any{"key": "/web/1"})["header"].(map[string]any)["revision"]
	e.ask("/v3/kv/compaction", map[string]any{"revision": revision, "physical": true})
	e.put("/web/3", three.url())
	l.until("an answer of three", func(r result) bool { return r.app == "three" })
	results := l.finish()
	g.finish()
	wantNoneFailed(t, g, results)
}

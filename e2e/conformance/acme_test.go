package conformance_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// acmeGate is a goodgate whose certificates a pebble issues.
type acmeGate struct {
	t                   *testing.T
	http, tls           string
	file, cache, extras string
	out                 *output
	cmd                 *exec.Cmd
	app                 *httptest.Server
}

// newACMEGate prepares a goodgate that does not run yet.
func newACMEGate(t *testing.T) *acmeGate {
	t.Helper()
	dir := t.TempDir()
	g := &acmeGate{t: t, http: freeAddress(t), tls: freeAddress(t), file: filepath.Join(dir, "goodgate.yaml"), cache: filepath.Join(dir, "acme")}
	g.app = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "app ", r.URL.Path) }))
	t.Cleanup(g.app.Close)
	return g
}

// configure writes the file: acme has additional keys for acme, and more has additional
// top-level keys.
func (g *acmeGate) configure(p *pebble, hosts, acme, more string) {
	g.t.Helper()
	err := os.WriteFile(g.file, fmt.Appendf(nil, `
listeners:
  - %q
  - address: %q
    tls:
      acme: {hosts: %s, accept_terms: true, email: ops@example.com, directory: %q, cache: %q, %s}
      %s
shutdown: {lame_duck: 0s, grace: 1s}
pools: {app: {upstreams: [%q]}}
`, g.http, g.tls, hosts, p.directory(), g.cache, acme, more, g.app.URL), 0o600)
	if err != nil {
		g.t.Fatal(err)
	}
}

// add adds to the file.
func (g *acmeGate) add(text string) {
	g.t.Helper()
	f, err := os.OpenFile(g.file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		g.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		g.t.Fatal(err)
	}
}

// trusting is for acme: the pebble's own certificate.
func trusting(p *pebble) string { return fmt.Sprintf("ca: %q", p.own.cert) }

func (g *acmeGate) start() *acmeGate {
	g.t.Helper()
	g.out = &output{}
	// A shell as the parent outlives the first process when that is replaced.
	g.cmd = exec.Command("sh", "-c", `"$0" run --config "$1"; sleep 600`, binary, g.file)
	g.cmd.Stdout, g.cmd.Stderr = g.out, g.out
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := g.cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	group, out := -g.cmd.Process.Pid, g.out
	g.t.Cleanup(func() {
		syscall.Kill(group, syscall.SIGKILL)
		if g.t.Failed() {
			g.t.Logf("goodgate:\n%s", out)
		}
	})
	eventually(g.t, "goodgate serves", func() bool { return len(logged(g.out, "serving")) > 0 })
	return g
}

// stop ends it at once.
func (g *acmeGate) stop() {
	syscall.Kill(-g.cmd.Process.Pid, syscall.SIGKILL)
	g.cmd.Wait()
}

// signal goes to the process that serves, which is the n-th.
func (g *acmeGate) signal(n int, s syscall.Signal) {
	g.t.Helper()
	var pid int
	record := logged(g.out, "serving")[n-1]
	if _, err := fmt.Sscanf(record[strings.Index(record, `"pid":`):], `"pid":%d`, &pid); err != nil {
		g.t.Fatal(err)
	}
	syscall.Kill(pid, s)
}

// shown returns the certificate for a name, once it is verified.
func (g *acmeGate) shown(name string, roots *x509.CertPool) (*x509.Certificate, error) {
	c, err := tls.Dial("tcp", g.tls, &tls.Config{ServerName: name, RootCAs: roots})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0], nil
}

func (g *acmeGate) wantShown(name string, roots *x509.CertPool) *x509.Certificate {
	g.t.Helper()
	var c *x509.Certificate
	eventually(g.t, "a certificate for "+name, func() (ok bool) {
		var err error
		c, err = g.shown(name, roots)
		return err == nil
	})
	return c
}

func wantOrders(t *testing.T, p *pebble, want int) {
	t.Helper()
	if got := p.orders(); got != want {
		t.Errorf("orders: got %d, want %d", got, want)
	}
}

// TestACME lets the built goodgate order certificates from a real ACME server.
func TestACME(t *testing.T) {
	cases := []struct {
		name string
		run  func(*testing.T)
	}{
		{"by TLS-ALPN-01", orderedByTLS}, {"by HTTP-01", orderedByHTTP}, {"by HTTP-01 when TLS-ALPN-01 fails", orderedByEither},
		{"a restart and an upgrade order nothing", restarted}, {"a reload orders for new hosts", reloaded}, {"renewed", renewed},
		{"an unknown name is refused without an order", strangers}, {"a server that is down", serverDown},
		{"a server that is not trusted", notTrusted}, {"a host that the server rejects", blocked},
		{"a server that has forgotten everything", forgotten}, {"with an account bound to an external one", bound},
		{"renewed when the server suggests it", suggested},
	}
	passed := 0
	for _, c := range cases {
		if t.Run(c.name, c.run) {
			passed++
		}
	}
	t.Logf("ACME against pebble: %d of %d cases", passed, len(cases))
}

func orderedByTLS(t *testing.T) {
	g := newACMEGate(t)
	p := newPebble(t, pebbleOptions{http: freeAddress(t), tls: g.tls, life: 90 * 24 * time.Hour}).start()
	g.configure(p, "[a.example.com, b.example.com]", trusting(p)+", challenge: tls-alpn", "")
	g.start()
	for _, name := range []string{"a.example.com", "b.example.com"} {
		g.wantShown(name, p.roots())
	}
	wantOrders(t, p, 2)
	// A request by the certificate goes to the application.
	tr := &http.Transport{TLSClientConfig: &tls.Config{ServerName: "a.example.com", RootCAs: p.roots()}, ForceAttemptHTTP2: true}
	defer tr.CloseIdleConnections()
	res, err := (&http.Client{Transport: tr}).Get("https://" + g.tls + "/x")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, _ := io.ReadAll(res.Body); string(body) != "app /x" || res.ProtoMajor != 2 {
		t.Errorf("got %q by %s", body, res.Proto)
	}
	files := 0
	filepath.WalkDir(g.cache, func(path string, d fs.DirEntry, _ error) error {
		info, err := d.Info()
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
		if !d.IsDir() {
			files++
		}
		return nil
	})
	if files != 3 {
		t.Errorf("files in the cache: got %d, want the account and two certificates", files)
	}
}

// ask returns the answer over HTTP without TLS.
func (g *acmeGate) ask(host, path string) string {
	g.t.Helper()
	req, err := http.NewRequest("GET", "http://"+g.http+path, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	req.Host = host
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	return string(body)
}

func orderedByHTTP(t *testing.T) {
	g := newACMEGate(t)
	p := newPebble(t, pebbleOptions{http: g.http, tls: freeAddress(t), life: 90 * 24 * time.Hour}).start()
	g.configure(p, "[a.example.com]", trusting(p)+", challenge: http", "")
	g.start()
	g.wantShown("a.example.com", p.roots())
	wantOrders(t, p, 1)
	const path = "/.well-known/acme-challenge/unknown"
	if got, want := g.ask("a.example.com", path), "app "+path; got != want {
		t.Errorf("a token of nobody's: got %q, want %q", got, want)
	}
}

func orderedByEither(t *testing.T) {
	g := newACMEGate(t)
	p := newPebble(t, pebbleOptions{http: g.http, tls: freeAddress(t), life: 90 * 24 * time.Hour}).start()
	g.configure(p, "[a.example.com]", trusting(p), "")
	g.start()
	g.wantShown("a.example.com", p.roots())
	wantOrders(t, p, 2) // one of each
}

func restarted(t *testing.T) {
	g := newACMEGate(t)
	p := newPebble(t, pebbleOptions{http: g.http, tls: g.tls, life: 90 * 24 * time.Hour}).start()
	g.configure(p, "[a.example.com]", trusting(p), "")
	g.start()
	first := g.wantShown("a.example.com", p.roots())
	g.stop()
	g.start()
	if c, err := g.shown("a.example.com", p.roots()); err != nil || !c.Equal(first) {
		t.Errorf("after a restart: %v", err)
	}
	g.signal(1, syscall.SIGUSR2)
	eventually(t, "the next process serves", func() bool { return len(logged(g.out, "serving")) > 1 })
	eventually(t, "the process before ends", func() bool { return len(logged(g.out, "ended")) > 0 })
	if c, err := g.shown("a.example.com", p.roots()); err != nil || !c.Equal(first) {
		t.Errorf("after an upgrade: %v", err)
	}
	wantOrders(t, p, 1)
}

func reloaded(t *testing.T) {
	g := newACMEGate(t)
	p := newPebble(t, pebbleOptions{http: g.http, tls: g.tls, life: 90 * 24 * time.Hour}).start()
	g.configure(p, "[a.example.com]", trusting(p), "")
	g.start()
	first := g.wantShown("a.example.com", p.roots())
	g.configure(p, "[a.example.com, b.example.com]", trusting(p), "")
	g.signal(1, syscall.SIGHUP)
	g.wantShown("b.example.com", p.roots())
	if c, err := g.shown("a.example.com", p.roots()); err != nil || !c.Equal(first) {
		t.Errorf("after a reload: %v", err)
	}
	wantOrders(t, p, 2)
}

func renewed(t *testing.T) {
	g := newACMEGate(t)
	p := newPebble(t, pebbleOptions{http: g.http, tls: g.tls, life: 12 * time.Second}).start()
	g.configure(p, "[a.example.com]", trusting(p), "")
	g.start()
	first := g.wantShown("a.example.com", p.roots())
	eventually(t, "another certificate", func() bool {
		c, err := g.shown("a.example.com", p.roots())
		if err != nil {
			t.Errorf("meanwhile: %v", err)
		}
		return err == nil && !c.Equal(first)
	})
	if now := time.Now(); !now.Before(first.NotAfter) {
		t.Errorf("renewed at %v, and the one before was good until %v", now, first.NotAfter)
	}
}

func strangers(t *testing.T) {
	g := newACMEGate(t)
	p := newPebble(t, pebbleOptions{http: g.http, tls: g.tls, life: 90 * 24 * time.Hour}).start()
	g.configure(p, "[a.example.com]", trusting(p), "")
	g.start()
	g.wantShown("a.example.com", p.roots())
	for _, name := range []string{"b.example.com", "x.a.example.com", "example.com"} {
		if c, err := g.shown(name, p.roots()); err == nil {
			t.Errorf("%s gets the certificate of %v", name, c.DNSNames)
		}
	}
	wantOrders(t, p, 1)
}

func serverDown(t *testing.T) {
	g, file := newACMEGate(t), newKeyPair(t)
	p := newPebble(t, pebbleOptions{http: g.http, tls: g.tls, life: 90 * 24 * time.Hour})
	g.configure(p, "[a.example.com]", trusting(p), fmt.Sprintf("certificates: [{cert: %q, key: %q}]", file.cert, file.key))
	g.start()
	eventually(t, "a record of the failure", func() bool { return len(logged(g.out, "certificate not obtained")) > 0 })
	if record := logged(g.out, "certificate not obtained")[0]; !strings.Contains(record, "the ACME server cannot be reached") {
		t.Errorf("got %s", record)
	}
	if _, err := g.shown("localhost", file.roots); err != nil {
		t.Errorf("the certificate of a file: %v", err)
	}
	g.signal(1, syscall.SIGHUP) // which tries again
	eventually(t, "the reload", func() bool { return len(logged(g.out, "configuration reloaded")) > 0 })
	p.start()
	g.signal(1, syscall.SIGHUP)
	g.wantShown("a.example.com", p.roots())
	if n := len(logged(g.out, "certificate not obtained")); n != 1 {
		t.Errorf("told of the failure %d times, want 1", n)
	}
}

// The server is replaced between an order and the renewal by one at the same
// address that knows no account.
func forgotten(t *testing.T) {
	g := newACMEGate(t)
	p := newPebble(t, pebbleOptions{http: g.http, tls: g.tls, life: 15 * time.Second}).start()
	g.configure(p, "[a.example.com]", trusting(p), "")
	g.start()
	g.wantShown("a.example.com", p.roots())
	p.cmd.Process.Kill()
	p.cmd.Wait()
	p.start()
	g.wantShown("a.example.com", p.roots())
}

func notTrusted(t *testing.T) {
	g := newACMEGate(t)
	p := newPebble(t, pebbleOptions{http: g.http, tls: g.tls, life: 90 * 24 * time.Hour}).start()
	g.configure(p, "[a.example.com]", "", "")
	g.start()
	eventually(t, "a record of the failure", func() bool { return len(logged(g.out, "certificate not obtained")) > 0 })
	record := logged(g.out, "certificate not obtained")[0]
	if !strings.Contains(record, "is not trusted") || !strings.Contains(record, "set acme.ca") {
		t.Errorf("got %s", record)
	}
	wantOrders(t, p, 0)
}

func blocked(t *testing.T) {
	g := newACMEGate(t)
	p := newPebble(t, pebbleOptions{http: g.http, tls: g.tls, life: 90 * 24 * time.Hour, blocked: []string{"b.example.com"}}).start()
	g.configure(p, "[a.example.com, b.example.com]", trusting(p), "")
	g.start()
	g.wantShown("a.example.com", p.roots())
	eventually(t, "a record of the failure", func() bool { return len(logged(g.out, "certificate not obtained")) > 0 })
	if record := logged(g.out, "certificate not obtained")[0]; !strings.Contains(record, "does not issue for b.example.com") {
		t.Errorf("got %s", record)
	}
	wantOrders(t, p, 1)
}

func bound(t *testing.T) {
	g := newACMEGate(t)
	const mac = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
	p := newPebble(t, pebbleOptions{http: g.http, tls: g.tls, life: 90 * 24 * time.Hour, mac: mac}).start()
	g.configure(p, "[a.example.com]", trusting(p), "")
	g.start()
	eventually(t, "a record of the failure", func() bool { return len(logged(g.out, "certificate not obtained")) > 0 })
	if record := logged(g.out, "certificate not obtained")[0]; !strings.Contains(record, "set acme.eab") {
		t.Errorf("got %s", record)
	}
	g.configure(p, "[a.example.com]", trusting(p)+", eab: {kid: kid, hmac_key: "+mac+"}", "")
	g.signal(1, syscall.SIGHUP)
	g.wantShown("a.example.com", p.roots())
	if strings.Contains(g.out.String(), mac) {
		t.Error("the log has the key")
	}
}

// The server wants a certificate to be renewed long before its end (ARI).
func suggested(t *testing.T) {
	g := newACMEGate(t)
	p := newPebble(t, pebbleOptions{http: g.http, tls: g.tls, life: 30 * time.Second}).start()
	g.configure(p, "[a.example.com]", trusting(p), "")
	g.start()
	first := g.wantShown("a.example.com", p.roots())
	g.stop()
	p.suggest(first, fmt.Sprintf(`{"suggestedWindow": {"start": %q, "end": %q}, "explanationURL": "https://example.com/why"}`,
		time.Now().Add(-time.Hour).UTC().Format(time.RFC3339), time.Now().Add(-time.Minute).UTC().Format(time.RFC3339)))
	g.start() // asks anew
	eventually(t, "another certificate", func() bool {
		c, err := g.shown("a.example.com", p.roots())
		return err == nil && !c.Equal(first)
	})
	if text := strings.Join(logged(g.out, "the authority suggests when to renew the certificate"), "\n"); !strings.Contains(text, "https://example.com/why") {
		t.Errorf("the log has no explanation: %s", text)
	}
	if !strings.Contains(p.out.String(), "is a replacement of") {
		t.Error("the order does not say what it replaces")
	}
}

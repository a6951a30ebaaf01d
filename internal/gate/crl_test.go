package gate

import (
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/lab/certtest"
	"github.com/goodgate/goodgate/internal/lab/logtest"
)

// visitHTTP2 sends a request over HTTP/2 and describes the result.
func visitHTTP2(addr string, c *tls.Config) string {
	c = c.Clone()
	c.NextProtos = []string{"h2"}
	tr := &http.Transport{TLSClientConfig: c, ForceAttemptHTTP2: true}
	defer tr.CloseIdleConnections()
	resp, err := (&http.Client{Transport: tr, Timeout: 10 * time.Second}).Get("https://" + addr + "/")
	if err != nil {
		return "refused"
	}
	defer resp.Body.Close()
	return fmt.Sprintf("%d by %d", resp.StatusCode, resp.ProtoMajor)
}

// replace puts another file in the place of a file.
func replace(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// A client with a revoked certificate is rejected in every protocol, with a new
// handshake and with its earlier session. Other clients stay, with their sessions.
func TestClientCRL(t *testing.T) {
	ca, dir := certtest.NewAuthority(t, "authority"), t.TempDir()
	cert, key := ca.Files(dir, "site", ca.Issue("site.example"))
	file, crl := ca.File(dir), ca.Revoke(dir, time.Hour)
	var log logtest.Buffer
	c := parse(t, fmt.Sprintf(`
listeners: [{address: "127.0.0.1:0", http3: {enabled: true}, tls: {certificates: [{cert: %q, key: %q}], client_ca: %q, client_crl: %q, client_auth: optional}}]
shutdown: {lame_duck: 0s}
pools: {app: {upstreams: [%q]}}`, cert, key, file, crl, app(t, "hello")))
	r := start(t, c, Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	good, bad := ca.Issue("good"), ca.Issue("bad")
	client := func(cert tls.Certificate, version uint16) *tls.Config {
		return &tls.Config{InsecureSkipVerify: true, ServerName: "site.example", MaxVersion: version,
			ClientSessionCache: tls.NewLRUClientSessionCache(8), Certificates: []tls.Certificate{cert}}
	}
	type pair struct{ good, bad *tls.Config }
	all := map[string]pair{}
	for _, v := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		all[tls.VersionName(v)] = pair{client(good, v), client(bad, v)}
	}
	let := map[*tls.Config]bool{} // in by the last visit, which leaves a session
	check := func(when, forGood, forBad string) {
		t.Helper()
		for version, p := range all {
			for _, one := range []struct {
				who, want string
				config    *tls.Config
			}{{"good", forGood, p.good}, {"bad", forBad, p.bad}} {
				got, resumed := visit(r.addrs[0], one.config)
				if got != one.want || got == "200" && resumed != let[one.config] {
					t.Errorf("%s, %s, %s: got %s, want %s; resumed %v", when, version, one.who, got, one.want, resumed)
				}
				let[one.config] = got == "200"
				fresh := one.config.Clone()
				fresh.ClientSessionCache = nil
				if got, _ := visit(r.addrs[0], fresh); got != one.want {
					t.Errorf("%s, %s, %s, a new session: got %s, want %s", when, version, one.who, got, one.want)
				}
				if got := visitHTTP2(r.addrs[0], fresh); strings.TrimSuffix(got, " by 2") != one.want {
					t.Errorf("%s, %s, %s, HTTP/2: got %s, want %s", when, version, one.who, got, one.want)
				}
			}
		}
		for who, want := range map[*tls.Config]string{all["TLS 1.3"].good: forGood, all["TLS 1.3"].bad: forBad} {
			if got := askHTTP3(t, r.addrs[0], who); got != want {
				t.Errorf("%s, HTTP/3, client %s: got %s, want %s", when, who.Certificates[0].Leaf.Subject, got, want)
			}
		}
		if got, _ := visit(r.addrs[0], &tls.Config{InsecureSkipVerify: true}); got != "200" {
			t.Errorf("%s, no certificate where it is optional: got %s", when, got)
		}
	}
	check("first", "200", "200")
	server := r.gate.current.Load().servers[0]
	check("with sessions", "200", "200")

	replace(t, ca.Revoke(t.TempDir(), time.Hour, bad), crl)
	server.clients.check()
	check("after one was revoked", "200", "refused")

	if err := os.WriteFile(crl, []byte("nothing good"), 0o600); err != nil {
		t.Fatal(err)
	}
	server.clients.check()
	check("with a bad file", "200", "refused")
	replace(t, certtest.NewAuthority(t, "authority").Revoke(t.TempDir(), time.Hour), crl)
	server.clients.check()
	check("with a list of another authority of that name", "refused", "refused")
	if !strings.Contains(log.String(), "no revocation list of CN=authority") {
		t.Errorf("the log does not say that the list is missing:\n%s", log.String())
	}
	if err := os.Remove(crl); err != nil {
		t.Fatal(err)
	}
	server.clients.check()

	der := filepath.Join(t.TempDir(), "der")
	if err := os.WriteFile(der, ca.RevocationList(time.Hour, bad), 0o600); err != nil {
		t.Fatal(err)
	}
	replace(t, der, crl)
	server.clients.check()
	check("in DER", "200", "refused")
	r.reload(t, c)
	if r.gate.current.Load().servers[0] == server {
		t.Error("a reload leaves connections of clients open whose certificates are revoked")
	}
	server = r.gate.current.Load().servers[0]
	r.reload(t, c)
	if r.gate.current.Load().servers[0] != server {
		t.Error("a reload without a change replaces the server")
	}
	check("after a reload", "200", "refused")

	replace(t, ca.Revoke(t.TempDir(), -time.Minute, bad), crl)
	server.clients.check()
	server.clients.check()
	check("with an expired list", "refused", "refused")
	if n := strings.Count(log.String(), "revocation list of CN=authority expired"); n != 1 {
		t.Errorf("the log has said %d times that the list is out of date, want once:\n%s", n, log.String())
	}
	replace(t, ca.Revoke(t.TempDir(), time.Hour), crl)
	server.clients.check()
	check("after nothing is revoked any more", "200", "200")
}

// A revocation list that cannot be read is reported once, and read when its permissions
// are corrected, which changes neither its size nor its time. So is a file of
// authorities.
func TestClientFilesUnreadableForAWhile(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root can read every file")
	}
	ca, dir := certtest.NewAuthority(t, "authority"), t.TempDir()
	cert, key := ca.Files(dir, "site", ca.Issue("site.example"))
	file, crl := ca.File(dir), ca.Revoke(dir, time.Hour)
	var log logtest.Buffer
	c := parse(t, fmt.Sprintf(`
listeners: [{address: "127.0.0.1:0", tls: {certificates: [{cert: %q, key: %q}], client_ca: %q, client_crl: %q}}]
shutdown: {lame_duck: 0s}
pools: {app: {upstreams: [%q]}}`, cert, key, file, crl, app(t, "hello")))
	r := start(t, c, Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	server := r.gate.current.Load().servers[0]
	other := certtest.NewAuthority(t, "other")
	client, stranger := ca.Issue("client"), other.Issue("stranger")
	visits := func(when string, cert tls.Certificate, want string) {
		t.Helper()
		if got, _ := visit(r.addrs[0], &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{cert}}); got != want {
			t.Errorf("%s: got %s, want %s", when, got, want)
		}
	}
	change := func(from, to string, before, after func()) {
		t.Helper()
		if err := os.Chmod(from, 0); err != nil {
			t.Fatal(err)
		}
		replace(t, from, to)
		server.clients.check()
		server.clients.check()
		before()
		if n := strings.Count(log.String(), "open "+to+": permission denied"); n != 1 {
			t.Errorf("the log has said %d times that %s cannot be read, want once:\n%s", n, to, log.String())
		}
		if err := os.Chmod(to, 0o600); err != nil {
			t.Fatal(err)
		}
		server.clients.check()
		after()
	}
	change(ca.Revoke(t.TempDir(), time.Hour, client), crl,
		func() { visits("while the list cannot be read", client, "200") },
		func() { visits("revoked", client, "refused") })
	replace(t, ca.Revoke(t.TempDir(), time.Hour), crl)
	server.clients.check()
	visits("not revoked any more", client, "200")
	var lists []byte
	for _, a := range []*certtest.Authority{ca, other} {
		lists = append(lists, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: a.RevocationList(time.Hour)})...)
	}
	if err := os.WriteFile(crl, lists, 0o600); err != nil {
		t.Fatal(err)
	}
	server.clients.check()
	change(other.File(t.TempDir()), file,
		func() { visits("while the authorities cannot be read", client, "200") },
		func() {
			visits("removed", client, "refused")
			visits("added", stranger, "200")
		})
}

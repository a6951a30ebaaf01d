package gate

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/goodgate/goodgate/internal/lab/certtest"
)

// inCache puts a certificate where the manager keeps obtained ones.
func inCache(t *testing.T, ca *certtest.Authority, dir, host string) {
	t.Helper()
	cert, key := ca.Files(t.TempDir(), "c", ca.Issue(host))
	var text []byte
	for _, file := range []string{key, cert} {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, data...)
	}
	folder := filepath.Join(dir, "127.0.0.1_1_dir")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, host+".pem"), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// namesShown returns the name in the certificate that a client gets.
func namesShown(addr, name string, protos ...string) string {
	c, err := tls.Dial("tcp", addr, &tls.Config{ServerName: name, InsecureSkipVerify: true, NextProtos: protos})
	if err != nil {
		return "refused"
	}
	defer c.Close()
	s := c.ConnectionState()
	return s.PeerCertificates[0].Subject.CommonName + s.NegotiatedProtocol
}

// Certificates from an earlier process are served without contact to the authority,
// besides those of files, which take precedence. Challenges are answered only for orders
// in progress. Nothing answers at the directory's address.
func TestACMEListeners(t *testing.T) {
	ca, dir := certtest.NewAuthority(t, "authority"), t.TempDir()
	for _, host := range []string{"one.test", "two.test"} {
		inCache(t, ca, dir, host)
	}
	cert, key := ca.Files(dir, "site", ca.Issue("file.test", "two.test"))
	text := fmt.Sprintf(`
listeners:
  - address: "127.0.0.1:0"
    tls: {acme: &acme {hosts: [one.test, two.test], accept_terms: true, directory: "https://127.0.0.1:1/dir", cache: %q}}
  - {address: "127.0.0.1:0", tls: {certificates: [{cert: %q, key: %q}], acme: *acme}}
  - {address: "127.0.0.1:0"}
shutdown: {lame_duck: 0s}
pools: {app: {upstreams: [%q]}}`, dir, cert, key, app(t, "hello"))
	r := start(t, parse(t, text), Options{})
	for _, tc := range []struct {
		listener int
		name     string
		want     string
	}{
		{0, "one.test", "one.test"}, {0, "two.test", "two.test"}, {0, "", "one.test"}, {0, "stranger.test", "refused"},
		{1, "one.test", "one.test"}, {1, "two.test", "file.test"}, {1, "", "file.test"}, {1, "stranger.test", "file.test"},
	} {
		if got := namesShown(r.addrs[tc.listener], tc.name); got != tc.want {
			t.Errorf("listener %d, %q: got %s, want %s", tc.listener, tc.name, got, tc.want)
		}
	}
	if n := len(r.gate.certificates()); n != 3 {
		t.Errorf("certificates in the metrics: got %d, want 3", n)
	}
	if n := len(r.gate.issuers); n != 1 {
		t.Errorf("got %d issuers of two listeners with the same acme, want 1", n)
	}

	challenge := func() string {
		req, err := http.NewRequest("GET", "http://"+r.addrs[2]+"/.well-known/acme-challenge/known", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "one.test"
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		return fmt.Sprint(res.StatusCode, " ", string(body[:min(6, len(body))]))
	}
	if got, want := challenge(), "200 hello "; got != want { // the application's
		t.Errorf("without an order: got %q, want %q", got, want)
	}
	if got := namesShown(r.addrs[0], "one.test", "acme-tls/1"); got != "refused" {
		t.Errorf("acme-tls/1 without an order: got %s", got)
	}
	if err := os.WriteFile(filepath.Join(dir, "127.0.0.1_1_dir", "one.test.token"), []byte("known"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, want := challenge(), "200 known."; got != want {
		t.Errorf("with an order: got %q, want %q", got, want)
	}
	if got := namesShown(r.addrs[0], "one.test", "acme-tls/1"); got != "one.testacme-tls/1" {
		t.Errorf("acme-tls/1 with an order: got %s", got)
	}
	if got := askALPN(r.addrs[0], "one.test"); got != "" {
		t.Errorf("over acme-tls/1 a request is answered with %q", got)
	}

	kept := r.gate.issuers[0]
	if _, err := r.gate.Reload(parse(t, text+"\nvia: other")); err != nil {
		t.Fatal(err)
	}
	if r.gate.issuers[0] != kept {
		t.Error("a reload that changes nothing of acme replaces the issuer")
	}
}

// askALPN sends a request over a connection that is for a challenge only.
func askALPN(addr, name string) string {
	c, err := tls.Dial("tcp", addr, &tls.Config{ServerName: name, InsecureSkipVerify: true, NextProtos: []string{"acme-tls/1"}})
	if err != nil {
		return err.Error()
	}
	defer c.Close()
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	got, _ := io.ReadAll(c)
	return string(got)
}

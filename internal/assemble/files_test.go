package assemble

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/goodgate/goodgate/internal/lab/certtest"
)

// TestCertificateDates: certificates that are not good now, or not for long, are
// warned of at their key; none of it is an error.
func TestCertificateDates(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	ca := certtest.NewAuthority(t, "authority")
	for _, c := range []struct {
		until time.Time
		want  string
	}{
		{now.AddDate(1, 0, 0), ""},
		{now.AddDate(0, 0, 15), ""},
		{now.AddDate(0, 0, 3), "expires on 2026-06-04, in 3 days: renew it"},
		{now.Add(5 * time.Hour), "expires on 2026-06-01, in 5 hours: renew it"},
		{now.AddDate(0, 0, -40), "expired on 2026-04-22, 40 days ago: clients refuse it"},
		{now.Add(-time.Second), "expired on 2026-06-01, 0 minutes ago: clients refuse it"},
	} {
		cert, key := ca.Files(t.TempDir(), "one", ca.IssueUntil(c.until, "one.example"))
		conf := parse(t, fmt.Sprintf(`
listeners: [{address: ":8443", tls: {certificates: [{cert: %s, key: %s}]}}]
pools: {app: {upstreams: ["http://127.0.0.1:1"]}}`, cert, key))
		errs, warnings := Files(conf, now)
		switch {
		case len(errs) > 0:
			t.Errorf("%v: %v", c.until, errs)
		case c.want == "" && len(warnings) > 0, c.want != "" && len(warnings) != 1:
			t.Errorf("%v: got %v, want %q", c.until, warnings, c.want)
		case c.want != "":
			if w := warnings[0]; !strings.Contains(w.Message, c.want) || w.Path != "listeners[0].tls.certificates[0].cert" || w.Line != 2 {
				t.Errorf("%v: got %+v, want %q", c.until, w, c.want)
			}
		}
	}
}

// TestOCSPDates: an expired response, or one for a revoked certificate, causes a
// warning.
func TestOCSPDates(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now, NotAfter: now.AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	issuer, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		response ocsp.Response
		want     string
	}{
		{ocsp.Response{Status: ocsp.Good, NextUpdate: now.AddDate(0, 0, 1)}, ""},
		{ocsp.Response{Status: ocsp.Good, NextUpdate: now.AddDate(0, 0, -1)}, "is out of date since 2026-05-31"},
		{ocsp.Response{Status: ocsp.Revoked, RevokedAt: now.AddDate(0, 0, -2), NextUpdate: now.AddDate(0, 0, 1)}, "was revoked on 2026-05-30"},
	} {
		c.response.SerialNumber = big.NewInt(1)
		raw, err := ocsp.CreateResponse(issuer, issuer, c.response, key)
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		ca := certtest.NewAuthority(t, "authority")
		cert, certKey := ca.Files(dir, "one", ca.Issue("one.example"))
		name := filepath.Join(dir, "ocsp")
		if err := os.WriteFile(name, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		conf := parse(t, fmt.Sprintf(`
listeners: [{address: ":8443", tls: {certificates: [{cert: %s, key: %s, ocsp: %s}]}}]
pools: {app: {upstreams: ["http://127.0.0.1:1"]}}`, cert, certKey, name))
		errs, warnings := Files(conf, now)
		if len(errs) > 0 || (c.want == "") != (len(warnings) == 0) || c.want != "" && !strings.Contains(warnings[0].Message, c.want) {
			t.Errorf("got %v, %v, want %q", errs, warnings, c.want)
		}
	}
}

// TestSwitchedFiles: common mistakes with certificates are reported at their key.
func TestSwitchedFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca := certtest.NewAuthority(t, "authority")
	cert, key := ca.Files(dir, "one", ca.Issue("one.example"))
	_, other := ca.Files(dir, "two", ca.Issue("two.example"))
	for _, c := range []struct{ cert, key, at, want string }{
		{key, cert, "cert", "did find a private key; PEM inputs may have been switched"},
		{cert, cert, "key", "found a certificate rather than a key"},
		{cert, other, "key", "private key does not match public key"},
		{cert, filepath.Join(dir, "none"), "key", "no such file or directory"},
	} {
		conf := parse(t, fmt.Sprintf(`
listeners: [{address: ":8443", tls: {certificates: [{cert: %s, key: %s}]}}]
pools: {app: {upstreams: ["http://127.0.0.1:1"]}}`, c.cert, c.key))
		errs, _ := Files(conf, time.Now())
		if len(errs) != 1 || errs[0].Path != "listeners[0].tls.certificates[0]."+c.at || !strings.Contains(errs[0].Message, c.want) {
			t.Errorf("got %v, want %q at %s", errs, c.want, c.at)
		}
	}
}

// TestFilesOfSources: a faulty file that is read for each query causes a warning at its
// key. A start continues without the source until the file is repaired.
func TestFilesOfSources(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	const program = "{current-context: a, contexts: [{name: a, context: {cluster: a, user: b}}], clusters: [{name: a, cluster: {server: http://a}}], users: [{name: b, user: {%s}}]}"
	for _, c := range []struct{ source, key, name, want string }{
		{"consul: {service: web, token_file: %s}", "consul.token_file", file("good", "token\n"), ""},
		{"consul: {service: web, token_file: %s}", "consul.token_file", file("empty", " \n"), "holds no token"},
		{"nomad: {service: web, token_file: %s}", "nomad.token_file", dir, "is a directory"},
		{"http: {url: http://a/, token_file: %s}", "http.token_file", file("two", "a\nb\n"), "holds no token"},
		{"etcd: {prefix: /a/, username: a, password_file: %s}", "etcd.password_file", filepath.Join(dir, "none"), "no such file"},
		{"kubernetes: {service: web, kubeconfig: %s}", "kubernetes.kubeconfig", file("kube", fmt.Sprintf(program, "token: a")), ""},
		{"kubernetes: {service: web, kubeconfig: %s}", "kubernetes.kubeconfig", file("exec", fmt.Sprintf(program, "exec: {command: a}")), "running a program"},
		{"kubernetes: {service: web, kubeconfig: %s, context: z}", "kubernetes.kubeconfig", filepath.Join(dir, "kube"), `has no context "z"`},
	} {
		conf := parse(t, fmt.Sprintf("listeners: [\":8080\"]\npools: {app: {upstreams: [{"+c.source+"}]}}", c.name))
		errs, warnings := Files(conf, time.Now())
		switch {
		case len(errs) > 0 || (c.want == "") != (len(warnings) == 0):
			t.Errorf("%s with %s: got %v, %v", c.key, c.name, errs, warnings)
		case c.want != "" && (warnings[0].Path != "pools.app.upstreams[0]."+c.key || !strings.Contains(warnings[0].Message, c.want)):
			t.Errorf("%s with %s: got %+v, want %q", c.key, c.name, warnings[0], c.want)
		}
	}
}

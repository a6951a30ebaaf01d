package gate

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"os"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/lab/certtest"
)

// visit makes a request by HTTP/1.1 and returns its result.
func visit(addr string, c *tls.Config) (answer string, resumed bool) {
	conn, err := tls.Dial("tcp", addr, c)
	if err != nil {
		return "refused", false
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	got, _ := io.ReadAll(conn)
	if len(got) < 12 {
		return "refused", conn.ConnectionState().DidResume
	}
	return string(got[9:12]), conn.ConnectionState().DidResume
}

// odd returns a certificate for a client that an authority of the test's own has
// issued, with the authority in a file.
func odd(t *testing.T, file string, change func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	root := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "root"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	rootKey, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	rootDER, err := x509.CreateCertificate(rand.Reader, root, root, rootKey.Public(), rootKey)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "client"}, NotBefore: root.NotBefore, NotAfter: root.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	change(leaf)
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	der, err := x509.CreateCertificate(rand.Reader, leaf, root, key.Public(), rootKey)
	if err != nil {
		t.Fatal(err)
	}
	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	have = append(have, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootDER})...)
	if err := os.WriteFile(file, have, 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// A client without a valid certificate of client_ca's authorities is not served: over
// HTTP/1.1 and HTTP/3, with TLS 1.2 and 1.3, whether a certificate is required or
// optional, and not with a session of another listener.
func TestClientCertificates(t *testing.T) {
	ca, dir := certtest.NewAuthority(t, "authority"), t.TempDir()
	cert, key := ca.Files(dir, "site", ca.Issue("site.example", "127.0.0.1"))
	file := ca.File(dir)
	shows := func(c tls.Certificate) *tls.Config { // whatever the server requests
		return &tls.Config{InsecureSkipVerify: true, GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &c, nil }}
	}
	client := func(change func(*x509.Certificate)) *tls.Config { return shows(odd(t, file, change)) }
	nothing := func(*x509.Certificate) {}
	clients := []struct {
		name   string
		config *tls.Config
		want   string
	}{
		{"good", client(nothing), "200"},
		{"expired", client(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }), "refused"},
		{"of tomorrow", client(func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = time.Now().Add(time.Minute), time.Now().Add(time.Hour)
		}), "refused"},
		{"for servers", client(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }), "refused"},
		{"of a stranger", shows(certtest.NewAuthority(t, "stranger").Issue("client")), "refused"},
		{"none", &tls.Config{InsecureSkipVerify: true}, ""}, // refused where one is required
	}
	r := start(t, parse(t, fmt.Sprintf(`
listeners:
  - {address: "127.0.0.1:0", http3: {enabled: true}, tls: &tls {certificates: [{cert: %q, key: %q}]}}
  - {address: "127.0.0.1:0", http3: {enabled: true}, tls: {<<: *tls, client_ca: %q}}
  - {address: "127.0.0.1:0", http3: {enabled: true}, tls: {<<: *tls, client_ca: %q, client_auth: optional}}
shutdown: {lame_duck: 0s}
pools: {app: {upstreams: [%q]}}`, cert, key, file, file, app(t, "hello"))), Options{})
	const open, required, optional = 0, 1, 2
	for _, tc := range clients {
		for listener, none := range map[int]string{required: "refused", optional: "200"} {
			want := tc.want
			if want == "" {
				want = none
			}
			for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
				c := tc.config.Clone()
				c.MaxVersion = version
				if got, _ := visit(r.addrs[listener], c); got != want {
					t.Errorf("listener %d, %s, %s: got %s, want %s", listener, tc.name, tls.VersionName(version), got, want)
				}
			}
			if got := askHTTP3(t, r.addrs[listener], tc.config); got != want {
				t.Errorf("listener %d, %s, HTTP/3: got %s, want %s", listener, tc.name, got, want)
			}
		}
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, from := range []int{open, optional} {
			c := &tls.Config{InsecureSkipVerify: true, ServerName: "site.example", MaxVersion: version, ClientSessionCache: tls.NewLRUClientSessionCache(8)}
			visit(r.addrs[from], c)
			if _, resumed := visit(r.addrs[from], c); !resumed {
				t.Errorf("%s: the session of listener %d is not resumed there, so that this test shows nothing", tls.VersionName(version), from)
			}
			if got, resumed := visit(r.addrs[required], c); got != "refused" || resumed {
				t.Errorf("%s with a session of listener %d: got %s, resumed %v", tls.VersionName(version), from, got, resumed)
			}
		}
	}
}

// A reload replaces the authorities of clients: a client whose authority was removed
// from client_ca is rejected, with a new handshake and with its earlier session.
func TestReloadOfClientCA(t *testing.T) {
	ca, staff, dir := certtest.NewAuthority(t, "authority"), certtest.NewAuthority(t, "staff"), t.TempDir()
	cert, key := ca.Files(dir, "site", ca.Issue("site.example"))
	file := staff.File(dir)
	c := parse(t, fmt.Sprintf(`
listeners: [{address: "127.0.0.1:0", http3: {enabled: true}, tls: {certificates: [{cert: %q, key: %q}], client_ca: %q}}]
shutdown: {lame_duck: 0s}
pools: {app: {upstreams: [%q]}}`, cert, key, file, app(t, "hello")))
	r := start(t, c, Options{})
	client := &tls.Config{InsecureSkipVerify: true, ServerName: "site.example", ClientSessionCache: tls.NewLRUClientSessionCache(8),
		Certificates: []tls.Certificate{staff.Issue("client")}}
	check := func(when, want string) {
		t.Helper()
		for range 2 {
			if got, _ := visit(r.addrs[0], client); got != want {
				t.Errorf("%s: got %s, want %s", when, got, want)
			}
		}
		if got := askHTTP3(t, r.addrs[0], client); got != want {
			t.Errorf("%s, HTTP/3: got %s, want %s", when, got, want)
		}
	}
	check("before", "200")
	server := r.gate.current.Load().servers[0]
	r.reload(t, c)
	check("after a reload without a change", "200")
	if r.gate.current.Load().servers[0] != server {
		t.Error("a reload without a change replaces the server")
	}
	if err := os.Rename(ca.File(t.TempDir()), file); err != nil {
		t.Fatal(err)
	}
	r.reload(t, c)
	check("after the authority has gone", "refused")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if _, err := r.gate.Reload(c); err == nil {
		t.Error("a reload without the file passes")
	}
	check("after a reload that failed", "refused")
	if err := os.Rename(staff.File(t.TempDir()), file); err != nil {
		t.Fatal(err)
	}
	r.reload(t, c)
	check("after the authority has come back", "200")

	// The same without a reload, as soon as the file is looked at.
	server = r.gate.current.Load().servers[0]
	if err := os.Rename(ca.File(t.TempDir()), file); err != nil {
		t.Fatal(err)
	}
	server.clients.check()
	check("after the authority was replaced in the file", "refused")
	r.reload(t, c)
	if r.gate.current.Load().servers[0] == server {
		t.Error("a reload leaves connections of clients open that may not come any more")
	}
	server = r.gate.current.Load().servers[0]
	if err := os.WriteFile(file, []byte("nothing good"), 0o600); err != nil {
		t.Fatal(err)
	}
	server.clients.check()
	check("with a bad file", "refused")
	if err := os.Rename(staff.File(t.TempDir()), file); err != nil {
		t.Fatal(err)
	}
	server.clients.check()
	check("after the authority is in the file again", "200")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	server.clients.check()
	check("with an empty file the authorities of before stay", "200")
}

// Package conformance_test runs other projects' test suites against the built goodgate:
// h2spec, the interoperability tests of gRPC, WebSocket, and an ACME server. It is a
// separate module, so that goodgate does not depend on their dependencies.
package conformance_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// keyPair is a certificate for 127.0.0.1, in files.
type keyPair struct {
	cert, key string
	roots     *x509.CertPool
}

func newKeyPair(t *testing.T) *keyPair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "goodgate test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	p := &keyPair{cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem"), roots: x509.NewCertPool()}
	for file, block := range map[string]*pem.Block{p.cert: {Type: "CERTIFICATE", Bytes: der}, p.key: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	p.roots.AddCert(leaf)
	return p
}

func (p *keyPair) server(t *testing.T) tls.Certificate {
	t.Helper()
	c, err := tls.LoadX509KeyPair(p.cert, p.key)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if goodgate := os.Getenv(asNginxVariable); goodgate != "" {
		if err := asNginx(goodgate, os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return 0
	}
	dir, err := os.MkdirTemp("", "goodgate-conformance-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "goodgate")
	build := exec.Command("go", "build", "-o", binary, "./cmd/goodgate")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building goodgate: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// freeAddress returns an unused address. Its port is below the range of ports for
// outgoing connections, so that it stays free.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 100 {
		address := fmt.Sprint("127.0.0.1:", 12000+mathrand.N(18000))
		if ln, err := net.Listen("tcp", address); err == nil {
			ln.Close()
			return address
		}
	}
	t.Fatal("found no free port in 100 tries")
	return ""
}

// gate is a running goodgate with a listener in the clear and one with TLS.
type gate struct{ clear, tls string }

// startGate runs goodgate in front of one upstream, until the test ends.
func startGate(t *testing.T, p *keyPair, pool string) *gate {
	t.Helper()
	g := &gate{clear: freeAddress(t), tls: freeAddress(t)}
	file := filepath.Join(t.TempDir(), "goodgate.yaml")
	err := os.WriteFile(file, fmt.Appendf(nil, `
listeners:
  - {address: %q, http2: {cleartext: true}}
  - {address: %q, tls: {certificates: [{cert: %q, key: %q}]}}
shutdown: {lame_duck: 0s}
log: {level: error}
pools: {app: %s}
`, g.clear, g.tls, p.cert, p.key, pool), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "run", "--config", file)
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	for range 500 {
		if c, err := net.Dial("tcp", g.tls); err == nil {
			c.Close()
			return g
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("goodgate does not listen")
	return nil
}

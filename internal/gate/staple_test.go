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
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/goodgate/goodgate/internal/lab/logtest"
)

// ocspFiles are an authority, a certificate of it that names a responder, and the database
// of openssl for that.
type ocspFiles struct {
	ca, caKey, cert, key, index string
	issuer, leaf                *x509.Certificate
}

func newOCSPFiles(t *testing.T, responder string) ocspFiles {
	t.Helper()
	dir := t.TempDir()
	f := ocspFiles{ca: filepath.Join(dir, "ca.pem"), caKey: filepath.Join(dir, "ca.key"), cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "cert.key"), index: filepath.Join(dir, "index.txt")}
	newKey := func() *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	sign := func(c, by *x509.Certificate, key, byKey *ecdsa.PrivateKey) *x509.Certificate {
		c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(90*24*time.Hour)
		der, err := x509.CreateCertificate(rand.Reader, c, by, &key.PublicKey, byKey)
		if err != nil {
			t.Fatal(err)
		}
		signed, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	write := func(name, kind string, ders ...[]byte) {
		var text []byte
		for _, der := range ders {
			text = append(text, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})...)
		}
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	caKey, key := newKey(), newKey()
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	f.issuer = sign(ca, ca, caKey, caKey)
	f.leaf = sign(&x509.Certificate{SerialNumber: big.NewInt(0x1234), Subject: pkix.Name{CommonName: "a.test"}, DNSNames: []string{"a.test"}, OCSPServer: []string{"http://" + responder}}, f.issuer, key, caKey)
	der := func(k *ecdsa.PrivateKey) []byte {
		b, err := x509.MarshalPKCS8PrivateKey(k)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	write(f.ca, "CERTIFICATE", f.issuer.Raw)
	write(f.caKey, "PRIVATE KEY", der(caKey))
	write(f.cert, "CERTIFICATE", f.leaf.Raw, f.issuer.Raw)
	write(f.key, "PRIVATE KEY", der(key))
	if err := os.WriteFile(f.index, fmt.Appendf(nil, "V\t%s\t\t1234\tunknown\t/CN=a.test\n", f.leaf.NotAfter.UTC().Format("060102150405Z")), 0o600); err != nil {
		t.Fatal(err)
	}
	return f
}

// stapled returns the response that a handshake has; nil if it has none.
func stapled(t *testing.T, address string, f ocspFiles) []byte {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(f.issuer)
	c, err := tls.Dial("tcp", address, &tls.Config{ServerName: "a.test", RootCAs: roots})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.ConnectionState().OCSPResponse
}

// TestOCSP gets a response from openssl's responder, and sends it to openssl's client.
func TestOCSP(t *testing.T) {
	t.Parallel()
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	responder := l.Addr().String()
	l.Close()
	f := newOCSPFiles(t, responder)
	_, port, _ := net.SplitHostPort(responder)
	cmd := exec.Command(openssl, "ocsp", "-index", f.index, "-port", port, "-rsigner", f.ca, "-rkey", f.caKey, "-CA", f.ca, "-ndays", "1")
	var out logtest.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	// A connection without a request would confuse it.
	eventually(t, "the responder listens", func() bool { return strings.Contains(out.String(), "waiting for OCSP client") }, out.String)
	yaml := fmt.Sprintf(`
listeners:
  - {address: "127.0.0.1:0", tls: {certificates: [{cert: %q, key: %q}]}}
  - {address: "127.0.0.1:0", tls: {certificates: [{cert: %[1]q, key: %[2]q}], ocsp_stapling: false}}
shutdown: {lame_duck: 0s}
pools: {app: {upstreams: [%[3]q]}}`, f.cert, f.key, app(t, "app"))
	state := t.TempDir() // two gates must not share one at a time
	r := start(t, parse(t, yaml), Options{StateDir: state})
	var raw []byte
	eventually(t, "a response in the handshake", func() bool { raw = stapled(t, r.addrs[0], f); return raw != nil }, func() string { return "none" })
	if res, err := ocsp.ParseResponseForCert(raw, f.leaf, f.issuer); err != nil || res.Status != ocsp.Good {
		t.Errorf("got %+v, %v", res, err)
	}
	if stapled(t, r.addrs[1], f) != nil {
		t.Error("the listener without ocsp_stapling has a response")
	}
	if _, err := r.gate.Reload(parse(t, strings.ReplaceAll(yaml, "tls: {", "max_connections: 77, tls: {"))); err != nil {
		t.Fatal(err)
	}
	if stapled(t, r.addrs[0], f) == nil {
		t.Error("after a reload there is no response")
	}
	client := exec.Command(openssl, "s_client", "-connect", r.addrs[0], "-servername", "a.test", "-status", "-CAfile", f.ca)
	client.Stdin = strings.NewReader("")
	text, err := client.CombinedOutput()
	for _, want := range []string{"OCSP Response Status: successful (0x0)", "Cert Status: good", "Verify return code: 0 (ok)"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("openssl s_client: %v, want %q in\n%s", err, want, text)
		}
	}
	r.stop()
	eventually(t, "the first goodgate to end", func() bool { return len(r.ended) > 0 }, func() string { return "" })
	cmd.Process.Kill()
	next := start(t, parse(t, yaml), Options{StateDir: state})
	eventually(t, "the kept response after a restart without the responder", func() bool { return stapled(t, next.addrs[0], f) != nil }, func() string { return "none" })
}

package assemble

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestMustStapleFiles: a certificate that demands OCSP responses and can get none causes a
// warning.
func TestMustStapleFiles(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, tls      string
		must, server   bool
		issuer, inFile bool
		want           string // empty = no warning
	}{
		{name: "complete", must: true, server: true, issuer: true},
		{name: "not demanded", tls: "ocsp_stapling: false"},
		{name: "turned off", tls: "ocsp_stapling: false", must: true, server: true, issuer: true, want: "set ocsp_stapling"},
		{name: "no responder", must: true, issuer: true, want: "it names no responder"},
		{name: "no issuer", must: true, server: true, want: "add the certificate of its issuer"},
		{name: "a file", must: true, inFile: true},
	} {
		dir := t.TempDir()
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now(), NotAfter: time.Now().AddDate(1, 0, 0)}
		if c.must {
			template.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24}, Value: []byte{0x30, 3, 2, 1, 5}}}
		}
		if c.server {
			template.OCSPServer = []string{"http://127.0.0.1:1"}
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		private, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
		if c.issuer {
			text = append(text, text...)
		}
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...)
		file := filepath.Join(dir, "cert.pem")
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		response := ""
		if c.inFile {
			response = file // no response, which is another warning
		}
		conf := parse(t, fmt.Sprintf(`
listeners: [{address: ":8443", tls: {certificates: [{cert: %s, key: %[1]s, ocsp: "%s"}], %s}}]
pools: {app: {upstreams: ["http://127.0.0.1:1"]}}`, file, response, c.tls))
		errs, warnings := Files(conf, time.Now())
		found := ""
		for _, w := range warnings {
			if strings.Contains(w.Message, "must-staple") {
				found = w.Path + ": " + w.Message
			}
		}
		if len(errs) > 0 || (found == "") != (c.want == "") || !strings.Contains(found, c.want) || c.want != "" && !strings.HasPrefix(found, "listeners[0].tls.certificates[0].cert:") {
			t.Errorf("%s: got %q, %v, want %q", c.name, found, errs, c.want)
		}
	}
}

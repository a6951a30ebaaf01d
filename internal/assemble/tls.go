package assemble

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"github.com/goodgate/goodgate/internal/certs"
	"github.com/goodgate/goodgate/internal/config"
)

// CertFiles returns where the certificates of a listener are. With acme there may
// be none.
func CertFiles(c *config.ListenerTLS) []certs.File {
	files := make([]certs.File, len(c.Certificates))
	for i, f := range c.Certificates {
		files[i] = certs.File(f)
	}
	return files
}

// ListenerTLS returns how clients are spoken to by a listener that has TLS, but for
// its certificates. The suites are Go's. A session goes on within its scope only:
// where the same clients are let in. An error is about the file that client_ca
// names.
func ListenerTLS(l config.Listener) (t *tls.Config, scope []byte, err error) {
	c := l.TLS
	t, scope = &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1", "http/1.0"}}, []byte(l.Address)
	if l.HTTP2.Enabled {
		t.NextProtos = append([]string{"h2"}, t.NextProtos...)
	}
	if c.MinVersion == "1.3" {
		t.MinVersion = tls.VersionTLS13
	}
	if c.ClientCA == "" {
		return t, scope, nil
	}
	t.ClientAuth = tls.RequireAndVerifyClientCert
	if c.ClientAuth == "optional" {
		t.ClientAuth = tls.VerifyClientCertIfGiven
	}
	var pem []byte
	if t.ClientCAs, pem, err = certPool(c.ClientCA); err != nil {
		return nil, nil, fmt.Errorf("client_ca: %w", err)
	}
	return t, fmt.Appendf(scope, "\n%v\n%s", t.ClientAuth, pem), nil
}

// certPool reads the authorities in a PEM file.
func certPool(file string) (pool *x509.CertPool, pem []byte, err error) {
	if pem, err = os.ReadFile(file); err != nil {
		return nil, nil, err
	}
	pool = x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, nil, fmt.Errorf("%s holds no PEM certificate", file)
	}
	return pool, pem, nil
}

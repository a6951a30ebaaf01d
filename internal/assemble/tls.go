package assemble

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"github.com/goodgate/goodgate/internal/certs"
	"github.com/goodgate/goodgate/internal/config"
)

// CertFiles returns the certificate files of a listener. With acme there may be none.
func CertFiles(c *config.ListenerTLS) []certs.File {
	files := make([]certs.File, len(c.Certificates))
	for i, f := range c.Certificates {
		files[i] = certs.File(f)
	}
	return files
}

// ServerTLS has the TLS settings of a listener, without its certificates.
type ServerTLS struct {
	Config      *tls.Config
	Scope       []byte             // a session resumes only within its scope: where the same clients are admitted
	Revocations *certs.Revocations // nil without client_crl
	lists       [sha256.Size]byte
}

// Same reports whether both admit the same clients, by the same files.
func (t *ServerTLS) Same(o *ServerTLS) bool {
	return bytes.Equal(t.Scope, o.Scope) && t.lists == o.lists
}

// ListenerTLS returns the TLS settings of a listener with TLS. The cipher suites are
// Go's. An error is about the files of client_ca and client_crl.
func ListenerTLS(l config.Listener) (*ServerTLS, error) {
	c := l.TLS
	t := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1", "http/1.0"}}
	s := &ServerTLS{Config: t, Scope: []byte(l.Address)}
	if l.HTTP2.Enabled {
		t.NextProtos = append([]string{"h2"}, t.NextProtos...)
	}
	if c.MinVersion == "1.3" {
		t.MinVersion = tls.VersionTLS13
	}
	if c.ClientCA == "" {
		return s, nil
	}
	t.ClientAuth = tls.RequireAndVerifyClientCert
	if c.ClientAuth == "optional" {
		t.ClientAuth = tls.VerifyClientCertIfGiven
	}
	pool, pem, err := certPool(c.ClientCA)
	if err != nil {
		return nil, fmt.Errorf("client_ca: %w", err)
	}
	t.ClientCAs, s.Scope = pool, fmt.Appendf(s.Scope, "\n%v\n%s", t.ClientAuth, pem)
	if len(c.ClientCRL) == 0 {
		return s, nil
	}
	if s.Revocations, err = certs.LoadRevocations(c.ClientCRL, pem); err != nil {
		return nil, fmt.Errorf("client_crl: %w", err)
	}
	t.VerifyConnection, s.lists = s.Revocations.Verify, s.Revocations.Sum()
	return s, nil
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

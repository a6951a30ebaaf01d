package gate

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"reflect"

	"github.com/goodgate/goodgate/internal/certs"
	"github.com/goodgate/goodgate/internal/config"
)

// secure makes a server speak TLS, if its listener is to.
func (g *Gate) secure(s *server, l config.Listener) error {
	if l.TLS == nil {
		return nil
	}
	var err error
	if s.certs, err = certs.Load(certFiles(l.TLS), g.certChanged); err != nil {
		return fmt.Errorf("tls: %w", err)
	}
	if s.tls, s.scope, err = listenerTLS(l); err != nil {
		return fmt.Errorf("tls: %w", err)
	}
	s.tls.GetCertificate = s.certs.Get
	s.tls.NextProtos = []string{"http/1.1", "http/1.0"}
	if l.HTTP2.Enabled {
		s.tls.NextProtos = append([]string{"h2"}, s.tls.NextProtos...)
	}
	g.ticketKeys.Seal(s.tls, s.scope)
	if l.TLS.ACME != nil {
		return g.issue(s, *l.TLS.ACME)
	}
	return nil
}

func certFiles(c *config.ListenerTLS) []certs.File {
	files := make([]certs.File, len(c.Certificates))
	for i, f := range c.Certificates {
		files[i] = certs.File(f)
	}
	return files
}

// certChanged logs that a certificate was read again.
func (g *Gate) certChanged(f certs.File, err error) {
	if err != nil {
		g.log.Warn("the certificate changed and is not good; the one before is kept", "file", f.Cert, "error", err.Error())
		return
	}
	g.log.Info("certificate read again", "file", f.Cert)
}

// listenerTLS says how clients are spoken to. The suites are Go's. A session
// goes on within its scope only: where the same clients are let in.
func listenerTLS(l config.Listener) (t *tls.Config, scope []byte, err error) {
	c := l.TLS
	t, scope = &tls.Config{MinVersion: tls.VersionTLS12}, []byte(l.Address)
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

// serves reports whether a server is what a listener asks for: with the same
// settings, and the same authorities in the file that client_ca names.
func (s *server) serves(l config.Listener) bool {
	if !reflect.DeepEqual(s.config, l) {
		return false
	}
	if l.TLS == nil {
		return true
	}
	_, scope, err := listenerTLS(l)
	return err == nil && bytes.Equal(scope, s.scope)
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

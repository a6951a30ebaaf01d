package gate

import (
	"fmt"
	"reflect"

	"github.com/goodgate/goodgate/internal/assemble"
	"github.com/goodgate/goodgate/internal/certs"
	"github.com/goodgate/goodgate/internal/config"
)

// secure adds TLS to a server if its listener is configured for it.
func (g *Gate) secure(s *server, l config.Listener) error {
	if l.TLS == nil {
		return nil
	}
	var err error
	if s.certs, err = certs.Load(assemble.CertFiles(l.TLS), g.certChanged); err != nil {
		return fmt.Errorf("tls: %w", err)
	}
	seen, err := lookAtClientFiles(l.TLS)
	if err != nil {
		return fmt.Errorf("tls: %w", err)
	}
	if s.secured, err = assemble.ListenerTLS(l); err != nil {
		return fmt.Errorf("tls: %w", err)
	}
	s.tls = s.secured.Config
	s.tls.GetCertificate = s.certs.Get
	g.ticketKeys.Seal(s.tls, s.secured.Scope)
	if l.TLS.ACME != nil {
		err = g.issue(s, *l.TLS.ACME)
	}
	g.staple(s)
	if l.TLS.ClientCA != "" {
		s.clients = g.newClientCA(s, l, seen)
	}
	return err
}

// certChanged logs that a certificate was read again.
func (g *Gate) certChanged(f certs.File, err error) {
	g.journal.Certificate(f.Cert, err)
	if err != nil {
		g.log.Warn("certificate not reloaded; the last good one stays in use", "file", f.Cert, "error", err.Error())
		return
	}
	g.log.Info("certificate reloaded", "file", f.Cert)
}

// serves reports whether a server matches a listener's configuration: equal settings, and
// equal content of the files of client_ca and client_crl.
func (s *server) serves(l config.Listener) bool {
	if !reflect.DeepEqual(s.config, l) {
		return false
	}
	if l.TLS == nil {
		return true
	}
	now, err := assemble.ListenerTLS(l)
	return err == nil && now.Same(s.secured)
}

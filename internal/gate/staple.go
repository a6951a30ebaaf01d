package gate

import (
	"crypto/tls"
	"path/filepath"

	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/edition"
	"github.com/goodgate/goodgate/internal/staple"
)

// stapleDir returns the folder for OCSP responses, beside the state file; empty without
// one.
func (g *Gate) stapleDir(c *config.Config) string {
	file := g.stateFile(c)
	if file == "" {
		return ""
	}
	return filepath.Join(filepath.Dir(file), "ocsp")
}

// staple lets a server send OCSP responses with its certificates. It must come after all
// other changes of GetCertificate.
func (g *Gate) staple(s *server) {
	if !s.config.TLS.OCSPStapling {
		return
	}
	get := s.tls.GetCertificate
	s.tls.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		c, err := get(hello)
		return g.stapler.With(c), err
	}
}

// stapleFor gets responses for the certificates of these servers, and ends the work for
// all others. g.mu must be held.
func (g *Gate) stapleFor(servers []*server) {
	var sources []staple.Source
	for _, s := range servers {
		if s.config.TLS == nil || !s.config.TLS.OCSPStapling {
			continue
		}
		sources = append(sources, s.certs)
		if !edition.Minimal && s.issuer != nil {
			sources = append(sources, s.issuer.manager)
		}
	}
	g.stapler.Use(sources)
}

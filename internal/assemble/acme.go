package assemble

import (
	"crypto/x509"
	"fmt"
	"slices"

	"github.com/goodgate/goodgate/internal/acme"
	"github.com/goodgate/goodgate/internal/config"
)

// ACME returns how certificates are got from an authority. It leaves open which
// challenges are tried, as listeners may change meanwhile, and who is told. An
// error is about the file that acme.ca names.
func ACME(c config.ACME) (acme.Options, error) {
	var pool *x509.CertPool
	if c.CA != "" {
		var err error
		if pool, _, err = certPool(c.CA); err != nil {
			return acme.Options{}, fmt.Errorf("acme.ca: %w", err)
		}
	}
	return acme.Options{
		Directory: c.Directory, Hosts: c.Hosts, Email: c.Email, Cache: c.Cache, CA: pool,
		KID: c.EAB.KID, MAC: c.EAB.MAC(),
	}, nil
}

// Challenges returns those that are tried, the first one first: by HTTP only where
// one of the listeners could be asked.
func Challenges(c config.ACME, listeners []config.Listener) []string {
	plain := slices.ContainsFunc(listeners, func(l config.Listener) bool { return l.TLS == nil })
	switch {
	case c.Challenge == "http":
		return []string{acme.HTTP01}
	case c.Challenge == "any" && plain:
		return []string{acme.TLSALPN01, acme.HTTP01}
	}
	return []string{acme.TLSALPN01}
}

package assemble

import (
	"crypto/x509"
	"fmt"
	"slices"

	"github.com/goodgate/goodgate/internal/acme"
	"github.com/goodgate/goodgate/internal/config"
)

// ACME returns the options for obtaining certificates from an authority. It leaves out
// the challenges, because listeners may change meanwhile, and the callbacks. An error is
// about the file that acme.ca names.
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

// Challenges returns the challenges to try, in order. HTTP is among them only if the
// authority can reach one of the listeners by HTTP.
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

package assemble

import (
	"crypto/x509"
	"fmt"
	"log/slog"
	"slices"

	"github.com/goodgate/goodgate/internal/acme"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/dns01"
)

// ACME returns the options for obtaining certificates from an authority. It leaves out
// the challenges, because listeners may change meanwhile, and the callbacks. An error is
// about the file that acme.ca names.
func ACME(c config.ACME, log *slog.Logger) (acme.Options, error) {
	var pool *x509.CertPool
	if c.CA != "" {
		var err error
		if pool, _, err = certPool(c.CA); err != nil {
			return acme.Options{}, fmt.Errorf("acme.ca: %w", err)
		}
	}
	o := acme.Options{
		Directory: c.Directory, Hosts: c.Hosts, Email: c.Email, Cache: c.Cache, CA: pool,
		KID: c.EAB.KID, MAC: c.EAB.MAC(), Log: log,
	}
	if c.DNS != nil {
		p, err := dns01.New(dnsChallenge(*c.DNS, log))
		if err != nil {
			return acme.Options{}, fmt.Errorf("acme.dns: %w", err)
		}
		o.Records = p
	}
	return o, nil
}

func dnsChallenge(c config.ACMEDNS, log *slog.Logger) dns01.Options {
	o := dns01.Options{Wait: c.Propagation, Servers: c.Servers, Resolvers: c.Resolvers, FollowCNAME: c.FollowCNAME, Log: log}
	if r := c.RFC2136; r != nil {
		o.Update = &dns01.Update{Server: r.Server, Zone: r.Zone, KeyName: r.KeyName, Algorithm: r.Algorithm, Secret: r.Key(), TTL: r.TTL}
	}
	if e := c.Exec; e != nil {
		o.Exec = &dns01.Exec{Command: append([]string{e.Program}, e.Args...), Env: e.Env, Timeout: e.Timeout}
	}
	return o
}

// Challenges returns the challenges to try, in order. HTTP is among them only if the
// authority can reach one of the listeners by HTTP.
func Challenges(c config.ACME, listeners []config.Listener) []string {
	plain := slices.ContainsFunc(listeners, func(l config.Listener) bool { return l.TLS == nil })
	switch {
	case c.Challenge == "dns", c.Challenge == "any" && c.DNS != nil:
		return []string{acme.DNS01}
	case c.Challenge == "http":
		return []string{acme.HTTP01}
	case c.Challenge == "any" && plain:
		return []string{acme.TLSALPN01, acme.HTTP01}
	}
	return []string{acme.TLSALPN01}
}

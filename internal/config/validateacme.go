package config

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
)

// maxACMEHosts bounds the hosts of one listener. Each host has its own certificate.
const maxACMEHosts = 200

// acme reports settings that no authority accepts.
func (v *validator) acme(path string, a ACME) {
	if v.at.given(path+".accept_terms") && !a.AcceptTerms {
		v.errorf(path+".accept_terms", "must be true: the authority requires you to accept its terms of service")
	}
	if a.Directory != "" && !strings.HasPrefix(a.Directory, "https://") {
		v.errorf(path+".directory", "found %q: expected an https URL", origin(a.Directory))
	}
	if len(a.Hosts) > maxACMEHosts {
		v.errorf(path+".hosts", "has %d hosts: the limit is %d", len(a.Hosts), maxACMEHosts)
	}
	for i, host := range a.Hosts {
		if slices.Contains(a.Hosts[:i], host) && host != "" {
			v.errorf(index(path+".hosts", i), "found %q: listed twice", host)
		}
	}
	switch e := a.EAB; {
	case (e.KID == "") != (e.HMACKey == ""):
		v.errorf(path+".eab", "kid and hmac_key go together: set both, or neither")
	case e.KID != "" && len(e.MAC()) == 0:
		v.errorf(path+".eab.hmac_key", "expected base64url, as the authority writes it")
	}
	if a.Challenge == "http" && !slices.ContainsFunc(v.config.Listeners, func(l Listener) bool { return l.TLS == nil }) {
		v.errorf(path+".challenge", "found \"http\": the authority connects to port 80: add a listener without TLS")
	}
	v.acmeDNS(path, a)
}

// acmeHost accepts names for which the available challenges can obtain a certificate.
func acmeHost(s string) (string, error) {
	name, wildcard := strings.CutPrefix(s, "*.")
	_, err := netip.ParseAddr(name)
	switch {
	case err == nil:
		return "", errors.New("expected a name: ACME certificates are for names, not addresses")
	case strings.Contains(name, "*"):
		return "", errors.New("expected a name such as www.example.com, or a wildcard with * as its whole first label")
	case strings.HasSuffix(name, ".") || !strings.Contains(name, "."):
		return "", errors.New("expected a whole name such as www.example.com, without a dot at its end")
	}
	name, err = dnsName(name)
	if wildcard && err == nil {
		name = "*." + name
	}
	return name, err
}

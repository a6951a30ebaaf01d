package convert

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
)

// caddyMeaningless are parts of Caddy's JSON that need no equivalent, with the reasons.
var caddyMeaningless = []string{
	"http_port", "https_port", // are read
	"logs", "trace", // goodgate has its own log
	"strict_sni_host",        // goodgate always chooses the route by the name
	"trusted_proxies_strict", // goodgate is always strict
	"protocols",              // are read
	"handler", "@directive", "@name",
	"fallback_sni", "default_sni", // all other names get the first certificate
	"curves", "cipher_suites", "alpn", "protocol_max", // Go chooses these
	"storage_clean_interval", "renew_interval", "ocsp_interval", "renewal_window_ratio", "key_type", "disable_ocsp_stapling", "disable_storage_check", // about Caddy's certificates
	"session_tickets", // tickets' keys change daily
	"prefer_wildcard", "ignore_loaded_certificates",
	"enable_full_duplex", "metrics",
	"match", "terminal", "group", // of unreachable routes, whose handlers are noted
	"named_routes", "routes", // routes that nothing invokes
	"disable", "skip", "disable_redirects", "disable_certificates", // read where a server has TLS
}

// caddyProtecting are parts that restrict access, with what would be lost.
var caddyProtecting = map[string]string{
	"client_authentication": "clients would need no certificate",
	"drop":                  "clients that it excludes would get access",
	"listener_wrappers":     "its rules for connections would be lost",
	"packet_conn_wrappers":  "its rules for connections would be lost",
}

// isInternal reports whether public authorities issue no certificate for a name. Caddy
// issues one itself then.
func isInternal(name string) bool {
	_, err := netip.ParseAddr(name)
	for _, end := range []string{"localhost", ".local", ".internal", ".home.arpa"} {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return err == nil || !strings.Contains(name, ".") || strings.HasSuffix(name, ".") || strings.Contains(name, "_")
}

// secured converts the TLS settings of a listener.
func (c *caddy) secured(s *tree, l *listener, names []string) {
	tls := c.root.get("apps", "tls")
	for _, f := range tls.all("certificates", "load_files") {
		pair := [2]string{f.str("certificate"), f.str("key")}
		if f.use(); pair[0] != "" && pair[1] != "" && !slices.Contains(l.certs, pair) {
			l.certs = append(l.certs, pair)
		}
	}
	for _, p := range s.all("tls_connection_policies") {
		if p.str("protocol_min") == "tls1.3" {
			l.minVersion = "1.3"
		}
		p.get("match").use()
		p.get("certificate_selection").use()
	}
	c.clientCerts(s, l)
	if s.get("automatic_https").on("disable_certificates") || s.get("automatic_https").on("disable") {
		names = nil
	}
	for _, name := range names {
		c.certificate(s, l, name)
	}
	if len(l.certs) == 0 && len(l.acme) == 0 {
		l.http3 = false
		c.refuse(s.place(), "tls", "clients of "+l.address+" would be served without TLS, because it has no certificate")
	}
}

// certificate converts the source of a name's certificate, if no file has it.
func (c *caddy) certificate(s *tree, l *listener, name string) {
	policy, issuer := c.automation(name)
	rest, wild := strings.CutPrefix(name, "*.")
	loaded := slices.Contains(c.root.strs("@loaded"), name) || len(l.certs) > 0 && c.root.of["@loaded"] == nil
	switch {
	case loaded:
	case issuer.str("module") == "internal" || issuer == nil && isInternal(name):
		c.refuse(cmp.Or(issuer.place(), s.place()), "tls internal", name+" would have no certificate, because goodgate is not an authority: give tls a certificate and a key")
	case wild && c.dnsChallenge(issuer) == "":
		c.refuse(cmp.Or(policy.place(), s.place()), "tls dns", name+" would have no certificate: set acme.dns and add the name to acme.hosts, or give tls a certificate and a key")
	case !isName(rest) || isInternal(rest):
		c.refuse(s.place(), "tls", name+" would have no certificate")
	case !slices.Contains(l.acme, strings.ToLower(name)):
		l.acme = append(l.acme, strings.ToLower(name))
		c.note("", "automatic HTTPS", "goodgate orders certificates as Caddy does. With this configuration you accept the authority's terms of service")
		c.authority(issuer, l)
	}
}

func (c *caddy) authority(issuer *tree, l *listener) {
	if email := issuer.str("email"); strings.Contains(email, "@") && !strings.ContainsAny(email, " <>{}\t\n\"") {
		l.authority.email = email
	}
	if ca := issuer.str("ca"); strings.HasPrefix(ca, "https://") && !strings.ContainsAny(ca, " {}\t\n") {
		l.authority.directory = ca
	}
	if files := issuer.strs("trusted_roots_pem_files"); len(files) > 0 {
		l.authority.ca = files[0]
	}
	if in := issuer.get("external_account"); in != nil {
		c.note(in.at, "eab", "left out: see acme.eab")
		in.use()
	}
	if dns := c.dnsChallenge(issuer); dns != "" {
		l.authority.dns = dns
	}
	issuer.use()
}

// automation returns the policy for a name, and its first issuer.
func (c *caddy) automation(name string) (policy, issuer *tree) {
	for _, p := range c.root.all("apps", "tls", "automation", "policies") {
		p.read = true
		subjects := p.strs("subjects")
		if len(subjects) > 0 && !slices.ContainsFunc(subjects, func(s string) bool { return stands(s, name) }) {
			continue
		}
		if p.on("on_demand") || p.get("on_demand") != nil {
			c.note(p.at, "on_demand", "goodgate orders certificates only for the names in its configuration")
		}
		for _, i := range p.all("issuers") {
			i.read = true
			return p, i
		}
		return p, nil
	}
	return nil, nil
}

// certificates notes other sources of certificates.
func (c *caddy) certificates() {
	tls := c.root.get("apps", "tls")
	for _, key := range tls.names("certificates") {
		if t := tls.get("certificates", key); key == "automate" {
			t.use()
		} else if key != "load_files" {
			c.note(t.at, key, "left out: goodgate reads certificates from files")
			t.use()
		}
	}
	for _, p := range tls.all("automation", "policies") {
		p.use()
	}
	if t := tls.get("automation", "on_demand"); t != nil {
		c.note(t.at, "on_demand_tls", "goodgate orders certificates only for the names in its configuration")
		t.use()
	}
}

// clientCerts converts the rules for client certificates, if all names of the listener
// have the same ones.
func (c *caddy) clientCerts(s *tree, l *listener) {
	var first *tree
	policies := s.all("tls_connection_policies")
	for i, p := range policies {
		a := p.get("client_authentication")
		if a == nil {
			if first != nil || i+1 < len(policies) && slices.ContainsFunc(policies[i:], func(o *tree) bool { return o.of["client_authentication"] != nil }) {
				first = nil
				c.refuseClients(policies)
				return
			}
			continue
		}
		files := slices.Concat(a.strs("trusted_ca_certs_pem_files"), a.strs("ca", "pem_files"))
		mode := cmp.Or(a.str("mode"), "require_and_verify")
		same := first == nil && i == 0 || first != nil && sameTexts(first, a)
		if len(files) != 1 || mode != "require_and_verify" && mode != "verify_if_given" || !same || a.of["trusted_leaf_certs"] != nil || a.of["verifiers"] != nil {
			c.refuseClients(policies)
			return
		}
		first = a
		l.clientCA, l.optional = files[0], mode == "verify_if_given"
	}
	for _, p := range policies {
		p.get("client_authentication").use()
	}
}

func (c *caddy) refuseClients(policies []*tree) {
	for _, p := range policies {
		if a := p.get("client_authentication"); a != nil {
			c.refuse(a.at, "client_auth", "clients would need no certificate of these authorities")
			a.use()
		}
	}
}

// sameTexts reports whether two trees have the same content.
func sameTexts(a, b *tree) bool {
	if a == nil || b == nil || a.text != b.text || len(a.items) != len(b.items) || len(a.of) != len(b.of) {
		return a == b
	}
	for i := range a.items {
		if !sameTexts(a.items[i], b.items[i]) {
			return false
		}
	}
	for k := range a.of {
		if !sameTexts(a.of[k], b.of[k]) {
			return false
		}
	}
	return true
}

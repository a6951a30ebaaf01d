package convert

import (
	"maps"
	"slices"
	"strings"

	"github.com/goodgate/goodgate/internal/advice/caddyfile"
)

// policy returns a certificate policy for some names, nil if there are no settings.
func (a *adapter) policy(at string, settings map[string]string, internal bool, names ...string) *tree {
	if len(settings) == 0 && !internal {
		return nil
	}
	issuer := object(at, "module", "acme", "email", settings["email"], "ca", settings["acme_ca"])
	if root := settings["acme_ca_root"]; root != "" {
		issuer.set("trusted_roots_pem_files", texts(at, []string{root}))
	}
	if dns := dnsSettings(at, settings); dns != nil {
		issuer.put(dns, "challenges", "dns")
	}
	if internal {
		issuer = object(at, "module", "internal")
	}
	return object(at, "subjects", names, "issuers", []*tree{issuer})
}

// dnsSettings returns the settings of the DNS challenge, nil if there are none.
func dnsSettings(at string, settings map[string]string) *tree {
	if settings["dns name"] == "" {
		return nil
	}
	provider := object(at)
	for key, value := range settings {
		if name, ok := strings.CutPrefix(key, "dns "); ok {
			provider.set(name, &tree{at: at, text: value})
		}
	}
	return object(at, "provider", provider, "propagation_timeout", settings["propagation_timeout"], "override_domain", settings["dns_challenge_override_domain"], "resolvers", strings.Fields(settings["resolvers"]))
}

// dnsLine reads a line about the DNS challenge. It reports whether the line is one.
func dnsLine(l *caddyfile.Directive, settings map[string]string) bool {
	switch l.Name {
	case "dns", "acme_dns":
		settings["dns name"] = l.Arg(0)
		for _, in := range l.Block {
			settings["dns "+in.Name] = in.Arg(0)
		}
	case "propagation_timeout", "dns_challenge_override_domain":
		settings[l.Name] = l.Arg(0)
	case "resolvers":
		settings[l.Name] = strings.Join(l.Args, " ")
	default:
		return l.Name == "propagation_delay" || l.Name == "dns_ttl" // goodgate looks at once, and has its own TTL
	}
	return true
}

// siteTLS reads the tls directives of a site. It returns their settings for client
// connections, nil if there are none.
func (a *adapter) siteTLS(s *caddyfile.Site, addresses []siteAddress) *tree {
	var names []string
	for _, p := range addresses {
		if p.host != "" && p.scheme != "http" {
			names = append(names, p.host)
		}
	}
	var out *tree
	for _, d := range s.Block {
		if d.Name != "tls" {
			continue
		}
		settings := map[string]string{}
		maps.Copy(settings, a.issuer)
		if out == nil {
			out = object(d.At)
		}
		internal := a.local
		switch {
		case len(d.Args) == 2:
			if f := object(d.At, "certificate", d.Arg(0), "key", d.Arg(1)); !slices.ContainsFunc(a.files, func(o *tree) bool { return sameTexts(o, f) }) {
				a.files = append(a.files, f)
			}
			a.loaded = append(a.loaded, names...)
			if len(names) == 0 {
				a.loaded = append(a.loaded, "")
			}
		case d.Arg(0) == "internal":
			internal = true
		case strings.Contains(d.Arg(0), "@"):
			settings["email"] = d.Arg(0)
		}
		for _, l := range d.Block {
			a.tlsLine(l, out, settings, &internal)
		}
		if p := a.policy(d.At, settings, internal, names...); p != nil && len(names) > 0 {
			a.policies = append(a.policies, p)
		}
	}
	return out
}

func (a *adapter) tlsLine(l *caddyfile.Directive, out *tree, settings map[string]string, internal *bool) {
	if dnsLine(l, settings) {
		return
	}
	switch l.Name {
	case "protocols":
		out.set("protocol_min", &tree{at: l.At, text: l.Arg(0)})
	case "client_auth":
		out.set("client_authentication", clientAuth(l))
	case "ca":
		settings["acme_ca"] = l.Arg(0)
	case "ca_root":
		settings["acme_ca_root"] = l.Arg(0)
	case "issuer":
		if l.Arg(0) == "internal" {
			*internal = true
			break
		}
		if l.Arg(0) != "acme" {
			a.note(l.At, "tls issuer "+l.Arg(0), "left out: goodgate orders certificates by ACME (see acme.directory)")
		}
		for _, in := range l.Block {
			switch in.Name {
			case "email":
				settings["email"] = in.Arg(0)
			case "dir":
				settings["acme_ca"] = in.Arg(0)
			case "dns", "propagation_timeout", "dns_challenge_override_domain", "resolvers", "propagation_delay", "dns_ttl":
				dnsLine(in, settings)
			default:
				a.note(in.At, "tls issuer "+in.Name, "left out: goodgate has no equivalent")
			}
		}
	case "ciphers", "curves", "alpn", "key_type", "reuse_private_keys", "renewal_window_ratio": // Go chooses these, or they are about Caddy's certificates
	default:
		a.note(l.At, "tls "+l.Name, "left out: goodgate has no equivalent")
	}
}

func clientAuth(l *caddyfile.Directive) *tree {
	t := object(l.At)
	for _, in := range l.Block {
		switch {
		case in.Name == "mode":
			t.set("mode", &tree{at: in.At, text: in.Arg(0)})
		case in.Name == "trusted_ca_cert_file":
			t.set("trusted_ca_certs_pem_files", texts(in.At, in.Args))
		case in.Name == "trust_pool" && in.Arg(0) == "file":
			files := in.Args[1:]
			for _, f := range in.Block {
				files = append(slices.Clone(files), f.Args...)
			}
			t.put(texts(in.At, files), "ca", "pem_files")
		default:
			t.set("verifiers", object(in.At, "what", in.Name))
		}
	}
	return t
}

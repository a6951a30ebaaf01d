package convert

import (
	"encoding/base64"
	"net"
	"slices"
	"strings"
	"time"
)

// updates returns the flow mapping of acme.dns for dynamic updates (RFC 2136). ok is
// false if goodgate cannot use the server or the key.
func updates(server, name, secret, algorithm string) (entry string, ok bool) {
	server, isServer := nameserver(server)
	_, err := base64.StdEncoding.DecodeString(secret)
	algorithm = strings.ToLower(strings.TrimSuffix(algorithm, "."))
	known := slices.Contains([]string{"", "hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512"}, algorithm)
	name = strings.TrimSuffix(name, ".")
	if !isServer || err != nil || !known || (name == "") != (secret == "") || name != "" && !isName(name) {
		return "", false
	}
	entry = "{server: " + quote(server)
	for _, kv := range [][2]string{{"key_name", name}, {"key_secret", secret}, {"algorithm", algorithm}} {
		if kv[1] != "" {
			entry += ", " + kv[0] + ": " + quote(kv[1])
		}
	}
	return entry + "}", true
}

// nameserver returns the address of a name server, without the standard port.
func nameserver(s string) (string, bool) {
	if host, port, err := net.SplitHostPort(s); err == nil {
		if s = host; port != "53" {
			return net.JoinHostPort(host, port), isPort(port) && isUpstream("http://"+net.JoinHostPort(host, port))
		}
	}
	return s, isName(s) || net.ParseIP(s) != nil
}

// challenge returns the flow mapping of acme.dns with a way to set the records.
func challenge(way string, unchecked bool, wait time.Duration, resolvers []string) string {
	switch {
	case unchecked:
		way += ", propagation: 0s"
	case wait > 0:
		way += ", propagation: " + min(max(wait, time.Second), 30*time.Minute).String()
	}
	var asked []string
	for _, r := range resolvers {
		if server, ok := nameserver(r); ok {
			asked = withWord(asked, server)
		}
	}
	if len(asked) > 0 {
		way += ", resolvers: " + list(asked)
	}
	return "{" + way + "}"
}

// dnsLeftOut is the note about a provider that goodgate lacks.
const dnsLeftOut = "left out: goodgate sets DNS records by RFC 2136 or by a program. Until you set acme.dns, it answers challenges on port 443 or 80"

// dnsChallenge converts the DNS challenge of a certificate resolver. Traefik reads the
// settings of its providers from the environment; goodgate reads the same variables.
func (t *traefik) dnsChallenge(by *tree) string {
	in := by.get("dnsChallenge")
	if in == nil {
		return ""
	}
	var way string
	switch in.str("provider") {
	case "exec":
		way = `exec: "${EXEC_PATH:-/usr/local/bin/dns-record}"`
		t.note(in.at, "dnsChallenge", "goodgate runs the program in EXEC_PATH, as Traefik does: set this variable for goodgate too (see acme.dns)")
	case "rfc2136":
		way = `rfc2136: {server: "${RFC2136_NAMESERVER:-127.0.0.1}", key_name: "${RFC2136_TSIG_KEY:-}", key_secret: "${RFC2136_TSIG_SECRET:-}"}`
		t.note(in.at, "dnsChallenge", "goodgate reads RFC2136_NAMESERVER, RFC2136_TSIG_KEY and RFC2136_TSIG_SECRET, as Traefik does: set them for goodgate too. goodgate uses hmac-sha256; set another algorithm in acme.dns.rfc2136")
	default:
		t.note(in.at, "dnsChallenge", dnsLeftOut)
		return ""
	}
	return challenge(way, in.on("disablePropagationCheck") || in.on("propagation", "disableChecks"), 0, in.strs("resolvers"))
}

// dnsChallenge converts the DNS challenge of an issuer. Of Caddy's providers, only
// rfc2136 needs no API of its own.
func (c *caddy) dnsChallenge(issuer *tree) string {
	in := issuer.get("challenges", "dns")
	provider := in.get("provider")
	if in == nil {
		return ""
	}
	entry, ok := updates(provider.str("server"), provider.str("key_name"), provider.str("key"), provider.str("key_alg"))
	if provider.str("name") != "rfc2136" || !ok || in.str("override_domain") != "" {
		c.note(in.at, "dns", dnsLeftOut)
		return ""
	}
	wait := in.str("propagation_timeout")
	return challenge("rfc2136: "+entry, strings.HasPrefix(wait, "-"), in.span(time.Nanosecond, "propagation_timeout"), in.strs("resolvers"))
}

package config

import (
	"strings"
	"testing"
)

func TestACME(t *testing.T) {
	t.Parallel()
	f := func(listener, want string) {
		t.Helper()
		_, _, err := Parse("x", []byte("listeners:\n  - "+listener+"\npools: {app: {upstreams: [\"http://127.0.0.1:1\"]}}\n"), nil)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", listener, got, want)
		}
	}
	tls := func(acme string) string { return `{address: ":443", tls: {acme: ` + acme + `}}` }
	f(tls("{hosts: a.example.com, accept_terms: true}"), "")
	f(`{address: ":443", tls: {}}`, "x:2:28: listeners[0].tls: set certificates, or acme to obtain them")
	f(tls("{accept_terms: true}"), "x:2:35: listeners[0].tls.acme: hosts is missing: write hosts: [www.example.com]")
	f(tls("{hosts: a.example.com}"), "x:2:35: listeners[0].tls.acme: accept_terms is missing: write accept_terms: true, if you agree to the authority's terms of service")
	f(tls("{hosts: a.example.com, accept_terms: true, mail: a@b.c}"), "x:2:78: listeners[0].tls.acme.mail: unknown key (did you mean email?)")
	f(tls("{accept_terms: false, hosts: a.example.com}"), "x:2:50: listeners[0].tls.acme.accept_terms: must be true: the authority requires you to accept its terms of service")
	for _, tc := range [][2]string{
		{`"*.example.com"`, "a wildcard needs the DNS challenge: add dns, or obtain the certificate with another program and name its files in certificates"},
		{`"a.*.example.com"`, "expected a name such as www.example.com, or a wildcard with * as its whole first label"},
		{`"*.com"`, "expected a whole name such as www.example.com, without a dot at its end"},
		{`"*.10.0.0.1"`, "expected a name: ACME certificates are for names, not addresses"},
		{"10.0.0.1", "expected a name: ACME certificates are for names, not addresses"},
		{"localhost", "expected a whole name such as www.example.com, without a dot at its end"},
		{"a.example.com.", "expected a whole name such as www.example.com, without a dot at its end"},
	} {
		f(tls("{hosts: ["+tc[0]+"], accept_terms: true}"), "x:2:44: listeners[0].tls.acme.hosts[0]: found \""+strings.Trim(tc[0], `"`)+"\": "+tc[1])
	}
	f(tls("{accept_terms: true, hosts: [a.example.com, A.example.com]}"), `x:2:79: listeners[0].tls.acme.hosts[1]: found "a.example.com": listed twice`)
	f(tls(`{accept_terms: true, hosts: a.example.com, directory: "http://ca"}`), `x:2:89: listeners[0].tls.acme.directory: found "http://ca": expected an https URL`)
	f(tls(`{accept_terms: true, hosts: a.example.com, email: Ops}`), `x:2:85: listeners[0].tls.acme.email: found "Ops": expected an address such as ops@example.com`)
	f(tls(`{accept_terms: true, hosts: a.example.com, challenge: http}`), `x:2:89: listeners[0].tls.acme.challenge: found "http": the authority connects to port 80: add a listener without TLS`)
	f(tls(`{accept_terms: true, hosts: a.example.com, eab: {kid: x}}`), `x:2:83: listeners[0].tls.acme.eab: kid and hmac_key go together: set both, or neither`)
	f(tls(`{accept_terms: true, hosts: a.example.com, eab: {kid: x, hmac_key: "no key"}}`), `x:2:102: listeners[0].tls.acme.eab.hmac_key: expected base64url, as the authority writes it`)
	f(tls(`{accept_terms: true, hosts: a.example.com, eab: {kid: x, hmac_key: "_-a0=="}}`), "")
	f(tls(`{accept_terms: true, hosts: a.example.com, challenge: dns}`), `x:2:89: listeners[0].tls.acme.challenge: found "dns": the challenge needs settings: add dns, with rfc2136 or exec`)
	dns := func(text string) string {
		return tls(`{accept_terms: true, hosts: "*.example.com", dns: ` + text + `}`)
	}
	f(dns("{rfc2136: {server: 10.0.0.53}}"), "")
	f(dns(`{exec: /usr/local/bin/hook}`), "")
	f(dns(`{exec: {program: hook, args: a, env: {A_B: c}, timeout: 5s}, servers: [ns1.example.com, "[::1]:53"], resolvers: "::1"}`), "")
	f(dns(`{rfc2136: {server: 10.0.0.53}, exec: /usr/local/bin/hook}`), `x:2:85: listeners[0].tls.acme.dns: rfc2136 and exec exclude each other: keep one`)
	f(dns(`{}`), `x:2:85: listeners[0].tls.acme.dns: one of rfc2136, exec is missing`)
	f(dns(`{rfc2136: {}}`), `x:2:95: listeners[0].tls.acme.dns.rfc2136: server is missing: write server: 10.0.0.53`)
	f(dns(`{rfc2136: {server: "10.0.0.53:x"}}`), `x:2:104: listeners[0].tls.acme.dns.rfc2136.server: found "10.0.0.53:x": expected an address, a host name or host:port`)
	f(dns(`{rfc2136: {server: ns, key_name: k}}`), `x:2:95: listeners[0].tls.acme.dns.rfc2136: key_name and key_secret go together: set both, or neither`)
	f(dns(`{rfc2136: {server: ns, key_name: k, key_secret: "!"}}`), `x:2:133: listeners[0].tls.acme.dns.rfc2136.key_secret: expected base64, as tsig-keygen writes it`)
	f(dns(`{rfc2136: {server: ns, zone: 10.0.0.1}}`), `x:2:114: listeners[0].tls.acme.dns.rfc2136.zone: found "10.0.0.1": expected the name of a zone`)
	f(dns(`{rfc2136: {server: ns, algorithm: hmac-md5}}`), `x:2:119: listeners[0].tls.acme.dns.rfc2136.algorithm: found "hmac-md5": must be one of hmac-sha224, hmac-sha256, hmac-sha384, hmac-sha512`)
}

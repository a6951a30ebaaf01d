package config

import (
	"encoding/base64"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// ACMEDNS configures how goodgate publishes the DNS records by which an authority verifies a host (DNS-01).
type ACMEDNS struct {
	RFC2136     *RFC2136 `yaml:"rfc2136" oneof:"provider" help:"Dynamic updates of the zone (RFC 2136), as BIND, Knot and PowerDNS accept them."`
	Exec        *DNSExec `yaml:"exec" oneof:"provider" help:"A program that creates and removes the record, with the arguments of lego's exec provider."`
	Propagation Duration `yaml:"propagation" default:"2m" min:"1s" max:"30m" zero:"no check" help:"How long goodgate waits until all name servers of the zone have the record. Only then does it ask the authority to look."`
	Servers     []string `yaml:"servers" default:"[]" opt:"single" format:"nameserver" example:"[10.0.0.53]" help:"Name servers that must have the record; empty means those of the zone."`
	Resolvers   []string `yaml:"resolvers" default:"[]" opt:"single" format:"nameserver" example:"[9.9.9.9]" help:"Resolvers that find the zone and its name servers; empty means the system's."`
	FollowCNAME bool     `yaml:"follow_cname" default:"true" help:"If _acme-challenge is a CNAME record, create the record at its target."`
}

// RFC2136 configures dynamic updates.
type RFC2136 struct {
	Server    string   `yaml:"server" opt:"required" format:"nameserver" example:"10.0.0.53" help:"The zone's primary name server."`
	Zone      string   `yaml:"zone" default:"" format:"dnsname" example:"example.com" help:"The zone; empty means the one that the server has for the name."`
	KeyName   string   `yaml:"key_name" default:"" format:"dnsname" example:"goodgate" help:"Name of the TSIG key; empty sends updates without a signature."`
	KeySecret Secret   `yaml:"key_secret" default:"" example:"\"${TSIG_SECRET}\"" help:"The TSIG key, in base64."`
	Algorithm string   `yaml:"algorithm" default:"hmac-sha256" enum:"hmac-sha224|hmac-sha256|hmac-sha384|hmac-sha512" help:"Algorithm of the TSIG key."`
	TTL       Duration `yaml:"ttl" default:"1m" min:"1s" max:"24h" help:"Time to live of the record."`
}

// Key returns the bytes of the TSIG key, in either alphabet of base64; nil if it is invalid.
func (r RFC2136) Key() []byte {
	text := strings.NewReplacer("-", "+", "_", "/", "=", "").Replace(string(r.KeySecret))
	key, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return nil
	}
	return key
}

// DNSExec configures a program that publishes the records.
type DNSExec struct {
	Program string   `yaml:"program" opt:"shorthand,required,file" example:"/usr/local/bin/dns-record" help:"The program. Its arguments are args, then present or cleanup, the name of the record and its value."`
	Args    []string `yaml:"args" default:"[]" opt:"single" example:"[--zone, example.com]" help:"Arguments before present or cleanup."`
	Env     Values   `yaml:"env" format:"token" example:"{API_TOKEN: \"${API_TOKEN}\"}" help:"Environment variables for the program, in addition to those of goodgate."`
	Timeout Duration `yaml:"timeout" default:"1m" min:"1s" max:"10m" help:"Longest time for one call. After it, goodgate kills the program and its children."`
}

// Wildcard reports whether a host of ACME stands for all names one label below.
func Wildcard(host string) bool { return strings.HasPrefix(host, "*.") }

// acmeDNS reports settings of the DNS challenge that cannot work.
func (v *validator) acmeDNS(path string, a ACME) {
	if a.DNS == nil {
		if a.Challenge == "dns" {
			v.errorf(path+".challenge", "found \"dns\": the challenge needs settings: add dns, with rfc2136 or exec")
		}
		if i := slices.IndexFunc(a.Hosts, Wildcard); i >= 0 {
			v.errorf(index(path+".hosts", i), "found %q: a wildcard needs the DNS challenge: add dns, or obtain the certificate with another program and name its files in certificates", a.Hosts[i])
		}
		return
	}
	r := a.DNS.RFC2136
	if r == nil {
		return
	}
	path += ".dns.rfc2136"
	if _, err := netip.ParseAddr(r.Zone); err == nil {
		v.errorf(path+".zone", "found %q: expected the name of a zone", r.Zone)
	}
	switch {
	case (r.KeyName == "") != (r.KeySecret == ""):
		v.errorf(path, "key_name and key_secret go together: set both, or neither")
	case r.KeyName != "" && len(r.Key()) == 0:
		v.errorf(path+".key_secret", "expected base64, as tsig-keygen writes it")
	}
}

// nameServer accepts host:port, and adds port 53 to a host alone.
func nameServer(s string) (string, error) {
	if isHost(strings.Trim(s, "[]")) {
		s = net.JoinHostPort(strings.Trim(s, "[]"), "53")
	}
	if _, err := hostPort(s); err != nil {
		return "", errors.New("expected an address, a host name or host:port")
	}
	return s, nil
}

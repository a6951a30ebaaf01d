package stale

import (
	"net/http"
	"net/netip"
	"strings"
)

// role is what a field of a request has to do with the answer, whether or not
// the answer says so in Vary.
type role int

const (
	negotiated role = iota // nothing, or the answer has to say so
	address                // names clients and proxies; applications rarely answer by it
	choosing               // names what is asked for, to an application that believes it
	credential             // shows who asks
)

// roleOf returns the role of a field by its name, in any spelling that CGI takes
// for it. A name that only looks like a credential's costs a hit; one
// that is taken for harmless costs a secret.
func roleOf(name string) role {
	switch name { // what nearly all requests consist of
	case "Accept", "Accept-Charset", "Accept-Encoding", "Accept-Language", "Cache-Control", "Connection", "If-Modified-Since", "If-None-Match",
		"Pragma", "Priority", "Range", "Referer", "Te", "Traceparent", "Tracestate", "Upgrade-Insecure-Requests", "User-Agent", "Via", "X-Request-Id":
		return negotiated
	case "Forwarded", "X-Forwarded-Host", "X-Forwarded-Proto":
		return choosing
	case "X-Forwarded-For", "X-Real-Ip":
		return address
	}
	n := strings.ReplaceAll(strings.Map(folded, name), "user-agent", "")
	switch {
	case strings.HasPrefix(n, "sec-fetch-"), strings.HasPrefix(n, "sec-ch-"): // the browser's own, such as Sec-Fetch-User
		return negotiated
	case hasAny(n, "auth", "token", "key", "secret", "session", "csrf", "xsrf", "jwt", "oidc", "saml", "passw", "credential", "cookie",
		"signature", "assertion", "cert", "identity", "principal", "user", "login", "email", "account", "tenant", "customer", "member", "visitor",
		"guest", "device-id", "client-id", "group", "role"):
		return credential
	case strings.HasSuffix(n, "-for"), strings.HasSuffix(n, "ip"), strings.HasSuffix(n, "ipv6"), strings.HasSuffix(n, "addr"), strings.HasSuffix(n, "address"):
		return address
	case hasAny(n, "forwarded", "host", "url", "uri", "path", "prefix", "proto", "scheme", "https", "ssl", "method", "override", "origin",
		"rewrite", "script", "requested", "country"):
		return choosing
	}
	return negotiated
}

// folded returns a byte of a name as it is in a variable of CGI: case does not
// matter there, and everything that is no letter and no digit is the same.
func folded(r rune) rune {
	switch {
	case 'A' <= r && r <= 'Z':
		return r + 'a' - 'A'
	case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
		return r
	}
	return '-'
}

// givesCredential reports whether a response hands out by a field what shows who
// asks next time.
func givesCredential(name string) bool {
	return hasAny(strings.Map(folded, name), "set-cookie", "authorization", "authentication-info", "token", "csrf", "xsrf", "secret", "session", "jwt", "api-key", "apikey")
}

func hasAny(s string, words ...string) bool {
	for _, w := range words {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}

// onlyAddresses reports whether values are lists of addresses and nothing else,
// which an application could not put into a page to anybody's harm.
func onlyAddresses(values []string) bool {
	for _, list := range values {
		for v := range strings.SplitSeq(list, ",") {
			if !isAddress(strings.TrimSpace(v)) {
				return false
			}
		}
	}
	return true
}

func isAddress(s string) bool {
	s = strings.Trim(s, `"`)
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	if err != nil {
		var ap netip.AddrPort
		ap, err = netip.ParseAddrPort(s)
		a = ap.Addr()
	}
	return err == nil && a.Zone() == "" // which may be any text
}

// variesBy returns the names in Vary, copied. ok is false when a response varies
// by more than can be told, or says what cannot be understood.
func variesBy(h http.Header) (names []string, ok bool) {
	for _, field := range h["Vary"] {
		for name := range strings.SplitSeq(field, ",") {
			name = strings.TrimSpace(name)
			if name == "*" || !isToken(name) {
				return nil, false
			}
			if name != "" {
				names = append(names, strings.Clone(http.CanonicalHeaderKey(name)))
			}
		}
	}
	return names, true
}

package stale

import (
	"net/http"
	"net/netip"
	"strings"
)

// role is the possible influence of a request field on the answer, whether or not the
// answer names it in Vary.
type role int

const (
	negotiated role = iota // none, or the answer must name it
	address                // names clients and proxies; answers rarely depend on it
	choosing               // names the requested resource, for an application that trusts it
	credential             // identifies the client
)

// roleOf returns the role of a field by its name, in any spelling that CGI treats as the
// same. A harmless field taken for a credential costs a hit. A credential taken for
// harmless reveals a secret.
func roleOf(name string) role {
	switch name { // the fields of nearly all requests
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
	case strings.HasPrefix(n, "sec-fetch-"), strings.HasPrefix(n, "sec-ch-"): // set by the browser, for example Sec-Fetch-User
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

// folded returns a character of a name as in a CGI variable, where case does not matter,
// and all characters other than letters and digits are the same.
func folded(r rune) rune {
	switch {
	case 'A' <= r && r <= 'Z':
		return r + 'a' - 'A'
	case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
		return r
	}
	return '-'
}

// givesCredential reports whether a response field gives the client a credential for
// later requests.
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

// onlyAddresses reports whether values are only lists of addresses. In a page these can
// do no harm.
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
	return err == nil && a.Zone() == "" // a zone may be any text
}

// variesBy returns copies of the names in Vary. ok is false if the response varies by
// more, or if Vary is invalid.
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

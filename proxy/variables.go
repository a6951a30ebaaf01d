package proxy

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goodgate/goodgate/internal/vars"
	"github.com/goodgate/goodgate/internal/wire/header"
	"github.com/goodgate/goodgate/internal/wire/message"
)

// This file has the values of variables. text.go puts them into texts. A client's data is
// never parsed for variables.

// subject is the source of the variables' values.
type subject struct {
	request  *Request
	client   netip.Addr
	record   *Record   // nil for variables of a key, which are known before the route
	exchange *exchange // nil when the request has ended
}

// value is the value of a variable.
type value struct {
	of    func(*subject) string
	inURL bool // it is already encoded as a part of a URL
	host  bool // it is a host, if it is valid as one: a trusted proxy may send something else
}

// valueOf returns the value of a variable. p.Parameter is the NAME of {header:NAME}.
func valueOf(p vars.Part) value {
	if p.Group > 0 {
		return value{of: func(s *subject) string { return s.exchange.captured(p.Group) }, inURL: true}
	}
	switch p.Name {
	case "header:":
		return value{of: func(s *subject) string { return s.request.Field(p.Parameter) }}
	case "cookie:":
		return value{of: func(s *subject) string { v, _ := s.request.Cookie(p.Parameter); return v }}
	case "query:":
		return value{of: func(s *subject) string { return message.RawQueryValue(s.request.URL.RawQuery, p.Parameter) }, inURL: true}
	}
	if of, ok := ofURL(p.Name); ok {
		return value{of: of, inURL: true}
	}
	if of, ok := ofRequest(p.Name); ok {
		return value{of: of, host: p.Name == "forwarded_host" || p.Name == "upstream"}
	}
	if of, ok := ofTLS(p.Name); ok {
		return value{of: func(s *subject) string {
			if s.request.TLS == nil {
				return ""
			}
			return of(s.request.TLS)
		}}
	}
	of, _ := ofCertificate(p.Name)
	return value{of: func(s *subject) string {
		if s.request.TLS == nil || len(s.request.TLS.PeerCertificates) == 0 {
			return ""
		}
		return of(s.request.TLS.PeerCertificates[0])
	}}
}

// ofURL returns a part of the request's URL, as the client sent it.
func ofURL(name string) (of func(*subject) string, ok bool) {
	switch name {
	case "scheme":
		of = func(s *subject) string { return schemeOf(s.request) }
	case "host":
		of = func(s *subject) string { return s.request.Host }
	case "hostname":
		of = func(s *subject) string { return hostname(s.request.Host) }
	case "uri":
		of = func(s *subject) string { return s.request.URL.RequestURI() }
	case "path":
		of = func(s *subject) string { return onePath(s.request.URL.EscapedPath()) }
	case "query":
		of = func(s *subject) string { return queryOf(s.request.URL) }
	case "args":
		of = func(s *subject) string { return s.request.URL.RawQuery }
	}
	return of, of != nil
}

func ofRequest(name string) (of func(*subject) string, ok bool) {
	switch name {
	case "client_ip":
		of = func(s *subject) string { return addressText(s.client) }
	case "client_port":
		of = clientPort
	case "server_port":
		of = func(s *subject) string { return serverPort(s.request) }
	case "forwarded_proto":
		of = func(s *subject) string { return lastOf(s.request.Values(header.XForwardedProto), schemeOf(s.request)) }
	case "forwarded_host":
		of = func(s *subject) string { return lastOf(s.request.Values(header.XForwardedHost), s.request.Host) }
	case "forwarded_port":
		of = func(s *subject) string { return forwardedPort(s.request) }
	case "method":
		of = func(s *subject) string { return s.request.Method }
	case "protocol":
		of = func(s *subject) string { return s.request.Proto }
	case "request_id":
		of = func(s *subject) string { return s.record.ID }
	case "route":
		of = func(s *subject) string { return s.record.Route }
	case "pool":
		of = func(s *subject) string { return s.record.Pool }
	case "upstream":
		of = func(s *subject) string { return s.record.Upstream }
	case "upstreams":
		of = func(s *subject) string { return s.record.tried() }
	}
	return of, of != nil
}

// ofTLS returns a property of the client's TLS connection.
func ofTLS(name string) (of func(*tls.ConnectionState) string, ok bool) {
	switch name {
	case "tls.version":
		of = func(s *tls.ConnectionState) string { return "TLSv1." + strconv.Itoa(int(s.Version)-tls.VersionTLS10) }
	case "tls.cipher":
		of = func(s *tls.ConnectionState) string { return tls.CipherSuiteName(s.CipherSuite) }
	case "tls.server_name":
		of = func(s *tls.ConnectionState) string { return s.ServerName }
	case "tls.protocol":
		of = func(s *tls.ConnectionState) string { return s.NegotiatedProtocol }
	case "tls.resumed":
		of = func(s *tls.ConnectionState) string { return strconv.FormatBool(s.DidResume) }
	}
	return of, of != nil
}

// ofCertificate returns a property of a client's certificate.
func ofCertificate(name string) (of func(*x509.Certificate) string, ok bool) {
	switch name {
	case "tls.client.subject":
		of = func(c *x509.Certificate) string { return c.Subject.String() }
	case "tls.client.issuer":
		of = func(c *x509.Certificate) string { return c.Issuer.String() }
	case "tls.client.serial":
		of = func(c *x509.Certificate) string { return hex.EncodeToString(c.SerialNumber.Bytes()) }
	case "tls.client.fingerprint":
		of = func(c *x509.Certificate) string { sum := sha256.Sum256(c.Raw); return hex.EncodeToString(sum[:]) }
	case "tls.client.dns_names":
		of = func(c *x509.Certificate) string { return strings.Join(c.DNSNames, ",") }
	case "tls.client.uris":
		of = uris
	case "tls.client.emails":
		of = func(c *x509.Certificate) string { return strings.Join(c.EmailAddresses, ",") }
	case "tls.client.not_before":
		of = func(c *x509.Certificate) string { return c.NotBefore.UTC().Format(time.RFC3339) }
	case "tls.client.not_after":
		of = func(c *x509.Certificate) string { return c.NotAfter.UTC().Format(time.RFC3339) }
	case "tls.client.certificate":
		of = byteSequence
	}
	return of, of != nil
}

func uris(c *x509.Certificate) string {
	var all []string
	for _, u := range c.URIs {
		all = append(all, u.String())
	}
	return strings.Join(all, ",")
}

// byteSequence returns a certificate in the form of Client-Cert (RFC 9440, section 2.1).
func byteSequence(c *x509.Certificate) string {
	return ":" + base64.StdEncoding.EncodeToString(c.Raw) + ":"
}

func schemeOf(r *Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

// addressText returns an address as text, empty for a client on a unix socket.
func addressText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// clientPort returns the client's port, empty for a client behind another proxy.
func clientPort(s *subject) string {
	peer, err := netip.ParseAddrPort(s.request.RemoteAddr)
	if err != nil || peer.Addr().Unmap().WithZone("") != s.client {
		return ""
	}
	return strconv.Itoa(int(peer.Port()))
}

// serverPort returns the port that the client connected to, empty for a unix socket.
func serverPort(r *Request) string {
	if port := localPort(r); port > 0 {
		return strconv.Itoa(port)
	}
	return ""
}

// forwardedPort returns the port of the client's URL: from a trusted proxy, else from the
// requested host, else by the scheme.
func forwardedPort(r *Request) string {
	said := lastOf(slices.Collect(r.ValuesOf("X-Forwarded-Port")), "")
	if n, err := strconv.ParseUint(said, 10, 16); err == nil && n > 0 {
		return said
	}
	if _, port, err := net.SplitHostPort(lastOf(r.Values(header.XForwardedHost), r.Host)); err == nil && port != "" {
		return port
	}
	if lastOf(r.Values(header.XForwardedProto), schemeOf(r)) == "https" {
		return "443"
	}
	return "80"
}

// captured returns the text that a group of the route's path_regexp matched, encoded as
// in a path. Without a path_regexp it uses the host_regexp.
func (x *exchange) captured(group int) string {
	switch m := &x.route.Match; {
	case m.PathRegexp != nil:
		return (&url.URL{Path: groupOf(m.PathRegexp, x.request.URL.Path, group)}).EscapedPath()
	case m.HostRegexp != nil: // a host has no character that a URL would encode
		return groupOf(m.HostRegexp, hostname(x.request.Host), group)
	}
	return ""
}

// groupOf returns a group of a match, empty without one.
func groupOf(re *regexp.Regexp, text string, group int) string {
	if found := re.FindStringSubmatch(text); group < len(found) {
		return found[group]
	}
	return ""
}

// queryOf returns a query with its question mark, empty without one.
func queryOf(u *url.URL) string {
	if u.RawQuery == "" {
		return ""
	}
	return "?" + u.RawQuery
}

// tried lists the upstreams of all attempts, in order.
func (r *Record) tried() string {
	var b strings.Builder
	for i := range r.Attempts {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(r.Attempts[i].Upstream)
	}
	return b.String()
}

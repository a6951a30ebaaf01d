package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/internal/advice/finding"
)

// tlsWait bounds a handshake.
const tlsWait = 5 * time.Second

// expiresSoon is the remaining validity of a certificate below which it is reported.
const expiresSoon = 14 * 24 * time.Hour

// handshake makes one TLS handshake and examines the result. It returns false if no
// request is possible.
func (e *examination) handshake(ctx context.Context, p place) bool {
	began := time.Now()
	defer e.slow("TLS handshake with %s", p.address)()
	state, err := e.tryTLS(ctx, p, firstWait)
	if isTimeout(err) && !e.speaksPlain(ctx, p) { // a server that waits for the end of a line has no TLS
		state, err = e.tryTLS(ctx, p, tlsWait)
	}
	took := time.Since(began)
	if err != nil {
		e.failed("tls", took, "%v", err)
		if !e.wantsName(ctx, p) && !e.wantsPROXY(ctx, p) {
			e.handshakeFailed(ctx, p, err)
		}
		return false
	}
	leaf := state.PeerCertificates[0]
	e.step("tls", took, "%s, %s%s, certificate for %s until %s", tls.VersionName(state.Version), tls.CipherSuiteName(state.CipherSuite),
		alpn(state), strings.Join(names(leaf), ", "), leaf.NotAfter.Format(time.DateOnly))
	e.judgeVersion(state)
	if e.Insecure {
		return true
	}
	found := len(e.report.Findings)
	ok := e.checkCertificate(state)
	if !ok && e.wantsName(ctx, p) { // the missing name explains it
		e.report.Findings = slices.Delete(e.report.Findings, found, len(e.report.Findings)-1)
	}
	return ok
}

func alpn(s tls.ConnectionState) string {
	if s.NegotiatedProtocol == "" {
		return ""
	}
	return ", " + s.NegotiatedProtocol
}

func names(c *x509.Certificate) []string {
	all := append([]string{}, c.DNSNames...)
	for _, ip := range c.IPAddresses {
		all = append(all, ip.String())
	}
	if len(all) == 0 {
		all = []string{c.Subject.String()}
	}
	if len(all) > 4 {
		all = append(all[:4], "...")
	}
	return all
}

// tryTLS makes a handshake that accepts every certificate, to examine it.
func (e *examination) tryTLS(ctx context.Context, p place, wait time.Duration) (tls.ConnectionState, error) {
	conn, err := e.dial(ctx, p)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(min(wait, e.o.MaxWait)))
	c := tls.Client(conn, e.tlsConfig([]string{"h2", "http/1.1"}))
	if err := c.HandshakeContext(ctx); err != nil {
		return tls.ConnectionState{}, err
	}
	return c.ConnectionState(), nil
}

func (e *examination) tlsConfig(protos []string) *tls.Config {
	c := &tls.Config{}
	if e.TLS != nil {
		c = e.TLS.Clone()
	}
	c.InsecureSkipVerify = true
	c.MinVersion = tls.VersionTLS10
	c.NextProtos = protos
	c.ServerName = e.serverName()
	if e.NoSNI {
		c.ServerName = ""
	}
	if len(c.Certificates) == 0 {
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			e.asked = true
			return new(tls.Certificate), nil
		}
	}
	return c
}

func (e *examination) handshakeFailed(ctx context.Context, p place, err error) {
	f := broken("tls_handshake", reason.TLSHandshake)
	f.Seen = fmt.Sprintf("the TLS handshake with %s failed: %v", p.address, err)
	f.Means = "the upstream rejects the handshake: its name (SNI), its protocol versions, or the missing client certificate"
	f.Do = "check the upstream's TLS settings and its log"
	if e.asked {
		e.clientCertificate(p, err)
		return
	}
	if record, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		f.Seen = fmt.Sprintf("%s answers a TLS handshake with %s", p.address, quote(record.RecordHeader[:]))
	}
	if e.speaksPlain(ctx, p) {
		f.Code = "tls_to_plain_port"
		f.Seen += "; a request without TLS gets an HTTP answer"
		f.Means = "the port speaks HTTP without TLS, but the proxy is configured for TLS"
		f.Do = "use http:// for this upstream, or the upstream's TLS port"
		f.Directive = set(e.Words.HTTP, e.Addr)
	}
	e.find(f)
}

// speaksPlain reports whether p answers a request without TLS.
func (e *examination) speaksPlain(ctx context.Context, p place) bool {
	plain := *e
	plain.TLS, plain.report = nil, finding.Report{}
	plain.o.MaxWait = min(plain.o.MaxWait, probeWait)
	a := plain.ask(ctx, p, plain.request())
	a.close()
	return a.response != nil
}

func (e *examination) checkCertificate(s tls.ConnectionState) bool {
	leaf := s.PeerCertificates[0]
	name := e.serverName()
	f := broken("certificate", reason.TLSCertificate)
	now := time.Now()
	switch {
	case now.After(leaf.NotAfter):
		f.Code = "certificate_expired"
		f.Seen = fmt.Sprintf("the certificate (for %s) expired on %s", strings.Join(names(leaf), ", "), leaf.NotAfter.Format(time.DateOnly))
		f.Means = "clients that verify certificates refuse the connection"
		f.Do = "renew the upstream's certificate, and make the upstream load it"
		f.Directive = "certbot renew, or the tool that issues the certificate; then reload the upstream"
	case now.Before(leaf.NotBefore):
		f.Code = "certificate_not_yet_valid"
		f.Seen = fmt.Sprintf("the certificate is valid only from %s; here it is %s", leaf.NotBefore.Format(time.DateTime), now.Format(time.DateTime))
		f.Means = "the clock of one of the two machines is wrong"
		f.Do = "set the clocks (chronyc tracking)"
	case leaf.VerifyHostname(name) != nil:
		f.Code = "certificate_name"
		f.Seen = fmt.Sprintf("the certificate is for %s, but the proxy asks for %s", strings.Join(names(leaf), ", "), name)
		f.Means = "the proxy refuses the connection because the name does not match"
		f.Do = "ask for a name in the certificate, or issue a certificate for the requested name"
		if len(leaf.DNSNames) > 0 {
			f.Directive = set(e.Words.ServerName, strings.TrimPrefix(leaf.DNSNames[0], "*."))
		}
	default:
		return e.checkChain(s, name)
	}
	e.find(f)
	return false
}

func (e *examination) checkChain(s tls.ConnectionState, name string) bool {
	leaf := s.PeerCertificates[0]
	rest := x509.NewCertPool()
	for _, c := range s.PeerCertificates[1:] {
		rest.AddCert(c)
	}
	var roots *x509.CertPool
	if e.TLS != nil {
		roots = e.TLS.RootCAs
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: rest, DNSName: name})
	if err == nil {
		e.aboutExpiry(leaf)
		return true
	}
	f := broken("certificate_authority", reason.TLSCertificate)
	f.Seen = fmt.Sprintf("the certificate of %s is not trusted: %v", strings.Join(names(leaf), ", "), err)
	f.Means = "its authority is unknown to the proxy, or the upstream does not send the intermediate certificate"
	f.Do = "give the proxy the certificate of the upstream's authority"
	if leaf.CheckSignature(leaf.SignatureAlgorithm, leaf.RawTBSCertificate, leaf.Signature) == nil {
		f.Code = "certificate_self_signed"
		f.Means = "it is self-signed: no authority signed it, so the proxy must be configured to trust it"
		f.Do = "give the proxy the certificate itself as an authority (a copy of the upstream's PEM file)"
	}
	f.Directive = set(e.Words.CA, "/etc/ssl/upstream-ca.pem")
	e.find(f)
	return false
}

func (e *examination) aboutExpiry(leaf *x509.Certificate) {
	if left := time.Until(leaf.NotAfter); left < expiresSoon {
		e.find(finding.Finding{
			Severity: finding.Warning, Confidence: finding.Certain, Code: "certificate_expires", Reason: reason.TLSCertificate,
			Seen:  fmt.Sprintf("the certificate expires on %s, in %d days", leaf.NotAfter.Format(time.DateOnly), int(left.Hours()/24)),
			Means: "after that, every request fails", Do: "renew it, and find out why the automatic renewal fails",
		})
	}
}

// open connects for a request, with TLS if the target has it. The certificate has
// already been examined.
func (e *examination) open(ctx context.Context, p place) (net.Conn, error) {
	return e.openFor(ctx, p, HTTP)
}

// openFor connects for a protocol, which the handshake negotiates.
func (e *examination) openFor(ctx context.Context, p place, protocol Protocol) (net.Conn, error) {
	conn, err := e.dial(ctx, p)
	if err != nil || e.TLS == nil {
		return conn, err
	}
	conn.SetDeadline(time.Now().Add(e.o.MaxWait))
	c := tls.Client(conn, e.tlsConfig(map[Protocol][]string{HTTP: {"http/1.1"}, HTTP2: {"h2"}}[protocol]))
	if err := c.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	conn.SetDeadline(time.Time{})
	return c, nil
}

// quote returns the beginning of an upstream's bytes as printable text.
func quote(b []byte) string {
	const most = 24
	return fmt.Sprintf("%q", b[:min(len(b), most)])
}

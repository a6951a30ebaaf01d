package doctor

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/netip"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/internal/advice/finding"
)

// serverName returns the expected name in the upstream's certificate.
func (e *examination) serverName() string {
	if e.TLS != nil && e.TLS.ServerName != "" {
		return e.TLS.ServerName
	}
	return hostOf(e.Addr)
}

// wantsName reports whether the handshake succeeds only with a server name, which the
// proxy does not send. It then adds the finding.
func (e *examination) wantsName(ctx context.Context, p place) bool {
	if _, err := netip.ParseAddr(e.serverName()); !e.NoSNI || err == nil {
		return false
	}
	named := *e
	named.NoSNI, named.report = false, finding.Report{}
	state, err := named.tryTLS(ctx, p, tlsWait)
	if err != nil || !e.Insecure && !named.checkCertificate(state) {
		return false
	}
	f := broken("tls_name", reason.TLSHandshake)
	f.Seen = fmt.Sprintf("%s completes a handshake with the name %s, but not one without a name", p.address, e.serverName())
	f.Means = "the upstream has several certificates and chooses one by the name (SNI), but the proxy sends no name"
	f.Do = "send the name"
	f.Directive = set(e.Words.SNI, "")
	e.find(f)
	return true
}

// clientCertificate adds a finding for an upstream that asks for a client certificate
// and closes the connection without one.
func (e *examination) clientCertificate(p place, err error) {
	if e.Hidden {
		e.report.NotKnown("whether %s answers: it requires a client certificate, and the doctor cannot read the proxy's", e.URL())
		return
	}
	f := broken("tls_client_certificate", reason.TLSHandshake)
	f.Seen = fmt.Sprintf("%s requires a client certificate in the handshake: %v", p.address, err)
	f.Means = "the upstream requires client certificates (mutual TLS), but the proxy sends none"
	f.Do = "give the proxy a certificate issued by the upstream's authority"
	f.Directive = set(e.Words.Client, "")
	e.find(f)
}

// judgeVersion adds a finding for TLS versions that others have dropped: OpenSSL 3 at
// its default security level, and Go.
func (e *examination) judgeVersion(s tls.ConnectionState) {
	if s.Version >= tls.VersionTLS12 {
		return
	}
	f := broken("tls_version", reason.TLSHandshake)
	f.Seen = "the upstream speaks " + tls.VersionName(s.Version) + " at most"
	f.Means = "the proxy refuses this old version"
	f.Do = "enable TLS 1.2 or 1.3 on the upstream"
	if !e.TLS12 {
		f.Severity, f.Confidence = finding.Warning, finding.Likely
		f.Because = "it depends on the proxy's TLS library"
		f.Means = "proxies with OpenSSL 3 refuse this old version unless a setting allows it"
		f.Do += "; until then, allow its version"
		f.Directive = set(e.Words.OldTLS, "")
	}
	e.find(f)
}

// wantsPROXY reports whether the upstream answers only with the PROXY protocol, and the
// proxy does not send it, or the reverse. It then adds the finding.
func (e *examination) wantsPROXY(ctx context.Context, p place) bool {
	const header = "PROXY TCP4 127.0.0.1 127.0.0.1 49152 80\r\n"
	if e.Protocol != HTTP {
		return false
	}
	other := *e
	other.report = finding.Report{}
	other.o.MaxWait = min(e.o.MaxWait, probeWait)
	without := len(e.Preface) > 0
	other.Preface = []byte(header)
	if without {
		other.Preface = nil
	}
	a := other.ask(ctx, p, other.request())
	a.close()
	if a.response == nil || a.response.StatusCode == 400 {
		return false
	}
	f := broken("proxy_protocol", reason.ClosedBeforeResponse)
	f.Seen = fmt.Sprintf("%s answers (%s) only if the connection begins with the PROXY protocol", p.address, a.response.Status)
	f.Means = "the application's port expects the PROXY protocol, but the proxy does not send it"
	f.Do = "send it, or disable it in the application (in nginx: listen ... proxy_protocol); nginx itself sends it only in stream {}"
	f.Directive = set(e.Words.PROXY, e.Addr)
	if without {
		f.Seen = fmt.Sprintf("%s answers (%s) only if the connection does not begin with the PROXY protocol", p.address, a.response.Status)
		f.Means = "the proxy sends the PROXY protocol, but the application does not know it"
		f.Do, f.Directive = "do not send it, or enable it in the application", ""
	}
	e.find(f)
	return true
}

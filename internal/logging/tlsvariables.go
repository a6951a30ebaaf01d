package logging

import (
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"strings"

	"github.com/goodgate/goodgate/proxy"
)

func ofTLS(of func(*tls.ConnectionState) string) value {
	return words(func(r *proxy.Record) string {
		if r.Request.TLS == nil {
			return ""
		}
		return of(r.Request.TLS)
	})
}

func ofCertificate(of func(*x509.Certificate) string) value {
	return ofTLS(func(s *tls.ConnectionState) string {
		if len(s.PeerCertificates) == 0 {
			return ""
		}
		return of(s.PeerCertificates[0])
	})
}

// fingerprint1 is the SHA-1 fingerprint, as in nginx.
func fingerprint1(c *x509.Certificate) string {
	sum := sha1.Sum(c.Raw)
	return hex.EncodeToString(sum[:])
}

// tlsDollars returns nginx's variables about the client's TLS.
func tlsDollars() map[string]value {
	return map[string]value{
		"https": ofTLS(func(*tls.ConnectionState) string { return "on" }),
		"ssl_protocol": ofTLS(func(s *tls.ConnectionState) string {
			return strings.Replace(tls.VersionName(s.Version), "TLS ", "TLSv", 1)
		}),
		"ssl_cipher":             mustBrace("tls.cipher"),
		"ssl_server_name":        mustBrace("tls.server_name"),
		"ssl_alpn_protocol":      mustBrace("tls.protocol"),
		"ssl_curve":              ofTLS(func(s *tls.ConnectionState) string { return s.CurveID.String() }),
		"ssl_session_reused":     ofTLS(reused),
		"ssl_client_s_dn":        mustBrace("tls.client.subject"),
		"ssl_client_i_dn":        mustBrace("tls.client.issuer"),
		"ssl_client_serial":      ofCertificate(func(c *x509.Certificate) string { return strings.ToUpper(hex.EncodeToString(c.SerialNumber.Bytes())) }),
		"ssl_client_verify":      ofTLS(verified),
		"ssl_client_fingerprint": ofCertificate(fingerprint1),
		"ssl_client_v_start":     ofCertificate(func(c *x509.Certificate) string { return c.NotBefore.UTC().Format(certificateTime) }),
		"ssl_client_v_end":       ofCertificate(func(c *x509.Certificate) string { return c.NotAfter.UTC().Format(certificateTime) }),
	}
}

// certificateTime is OpenSSL's format for the times of certificates.
const certificateTime = "Jan _2 15:04:05 2006 GMT"

func reused(s *tls.ConnectionState) string {
	if s.DidResume {
		return "r"
	}
	return "."
}

func verified(s *tls.ConnectionState) string {
	if len(s.PeerCertificates) == 0 {
		return "NONE"
	}
	return "SUCCESS" // others do not reach a request
}

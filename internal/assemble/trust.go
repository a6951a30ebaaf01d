package assemble

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"os"
	"reflect"
	"slices"

	"github.com/goodgate/goodgate/internal/config"
)

// Trust holds the verification of upstreams reached by TLS, and the certificate shown to
// them, with the settings and files that it was made from. It is immutable.
type Trust struct {
	Config *tls.Config
	from   config.TLS
	files  [3][]byte // ca, cert, key
}

// NewTrust returns old, which may be nil, if neither the settings nor their files have
// changed. Without settings it trusts the system's authorities. An error names the key of
// the unusable file.
func NewTrust(c config.TLS, old *Trust) (*Trust, error) {
	t := &Trust{from: c}
	for i, f := range []struct{ key, name string }{{"ca", c.CA}, {"cert", c.Cert}, {"key", c.Key}} {
		if f.name == "" {
			continue
		}
		var err error
		if t.files[i], err = os.ReadFile(f.name); err != nil {
			return nil, fmt.Errorf("tls.%s: %w", f.key, err)
		}
	}
	if old != nil && reflect.DeepEqual(old.from, c) && slices.EqualFunc(old.files[:], t.files[:], bytes.Equal) {
		return old, nil
	}
	t.Config = &tls.Config{ServerName: c.ServerName, InsecureSkipVerify: c.Insecure}
	if c.CA != "" {
		t.Config.RootCAs = x509.NewCertPool()
		if !t.Config.RootCAs.AppendCertsFromPEM(t.files[0]) {
			return nil, fmt.Errorf("tls.ca: %s holds no PEM certificate", c.CA)
		}
	}
	if c.Cert != "" {
		cert, err := tls.X509KeyPair(t.files[1], t.files[2])
		if err != nil {
			return nil, fmt.Errorf("tls.cert %s with tls.key %s: %w", c.Cert, c.Key, err)
		}
		t.Config.Certificates = []tls.Certificate{cert}
	}
	if len(c.Pins) > 0 {
		t.Config.VerifyConnection = pinned(c.Pins)
	}
	return t, nil
}

// pinned refuses a connection if no verified certificate has one of the keys. Without
// verification only the upstream's own certificate counts.
func pinned(pins []string) func(tls.ConnectionState) error {
	return func(s tls.ConnectionState) error {
		candidates := s.PeerCertificates[:1]
		for _, chain := range s.VerifiedChains {
			candidates = append(candidates[:len(candidates):len(candidates)], chain...)
		}
		if slices.ContainsFunc(candidates, func(c *x509.Certificate) bool { return slices.Contains(pins, pinOf(c)) }) {
			return nil
		}
		return &tls.CertificateVerificationError{
			UnverifiedCertificates: s.PeerCertificates,
			Err:                    fmt.Errorf("its key, %s, is not in tls.pins", pinOf(s.PeerCertificates[0])),
		}
	}
}

// pinOf returns a certificate's key in the form of tls.pins (RFC 7469 section 2.4).
func pinOf(c *x509.Certificate) string {
	sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return "sha256/" + base64.StdEncoding.EncodeToString(sum[:])
}

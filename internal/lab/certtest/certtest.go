// Package certtest makes certificates for tests.
package certtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Authority signs certificates.
type Authority struct {
	tb   testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewAuthority returns a new authority.
func NewAuthority(tb testing.TB, name string) *Authority {
	tb.Helper()
	a := &Authority{tb: tb}
	a.cert = &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature,
	}
	a.cert, a.key = a.sign(a.cert)
	return a
}

// sign completes a certificate and signs it. An authority's own certificate is
// self-signed.
func (a *Authority) sign(c *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.tb.Fatal(err)
	}
	c.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		a.tb.Fatal(err)
	}
	if c.NotAfter.IsZero() {
		c.NotBefore, c.NotAfter = time.Unix(0, 0), time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	parent, signer := a.cert, a.key
	if signer == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		a.tb.Fatal(err)
	}
	signed, err := x509.ParseCertificate(der)
	if err != nil {
		a.tb.Fatal(err)
	}
	return signed, key
}

// Issue returns a certificate for servers and clients with these names or addresses.
// The first is its common name, which is empty without names.
func (a *Authority) Issue(names ...string) tls.Certificate {
	return a.IssueUntil(time.Time{}, names...)
}

// IssueUntil is [Authority.Issue] with an expiry time; the zero time is in the distant
// future.
func (a *Authority) IssueUntil(end time.Time, names ...string) tls.Certificate {
	a.tb.Helper()
	c := &x509.Certificate{
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if len(names) > 0 {
		c.Subject.CommonName = names[0]
	}
	if !end.IsZero() {
		c.NotBefore, c.NotAfter = time.Unix(0, 0), end
	}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
		} else {
			c.DNSNames = append(c.DNSNames, n)
		}
	}
	signed, key := a.sign(c)
	return tls.Certificate{Certificate: [][]byte{signed.Raw}, PrivateKey: key, Leaf: signed}
}

// Pool returns a pool that trusts the authority.
func (a *Authority) Pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// File writes the authority's certificate and returns the file's name.
func (a *Authority) File(dir string) string {
	a.tb.Helper()
	name := filepath.Join(dir, "ca.pem")
	a.write(name, "CERTIFICATE", a.cert.Raw)
	return name
}

// Files writes a certificate and its key to name.pem and name.key in dir, and
// returns the files' names.
func (a *Authority) Files(dir, name string, c tls.Certificate) (cert, key string) {
	a.tb.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		a.tb.Fatal(err)
	}
	cert, key = filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key")
	a.write(cert, "CERTIFICATE", c.Certificate[0])
	a.write(key, "PRIVATE KEY", der)
	return cert, key
}

// Revoke writes the authority's revocation list with these certificates to ca.crl, as
// PEM. The list expires after next, which may be negative. It returns the file's name.
func (a *Authority) Revoke(dir string, next time.Duration, revoked ...tls.Certificate) string {
	a.tb.Helper()
	name := filepath.Join(dir, "ca.crl")
	a.write(name, "X509 CRL", a.RevocationList(next, revoked...))
	return name
}

// RevocationList returns the list of [Authority.Revoke] in DER.
func (a *Authority) RevocationList(next time.Duration, revoked ...tls.Certificate) []byte {
	a.tb.Helper()
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Unix(0, 0), NextUpdate: time.Now().Add(next)}
	for _, c := range revoked {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: c.Leaf.SerialNumber, RevocationTime: time.Unix(1, 0)})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, a.cert, a.key)
	if err != nil {
		a.tb.Fatal(err)
	}
	return der
}

// NewIntermediate returns an authority with a certificate signed by a.
func (a *Authority) NewIntermediate(name string) *Authority {
	a.tb.Helper()
	cert, key := a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature,
	})
	return &Authority{tb: a.tb, cert: cert, key: key}
}

// Certificate returns the authority's own certificate, with its key.
func (a *Authority) Certificate() tls.Certificate {
	return tls.Certificate{Certificate: [][]byte{a.cert.Raw}, PrivateKey: a.key, Leaf: a.cert}
}

func (a *Authority) write(name, kind string, der []byte) {
	a.tb.Helper()
	if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		a.tb.Fatal(err)
	}
}

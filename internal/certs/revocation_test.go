package certs

import (
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/lab/certtest"
)

// written writes data into a new file.
func written(t *testing.T, data ...[]byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	var all []byte
	for _, d := range data {
		all = append(all, d...)
	}
	if err := os.WriteFile(name, all, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func inPEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// verdict returns the result for a client with a certificate and its chain.
func verdict(t *testing.T, r *Revocations, trusted []byte, shown ...tls.Certificate) string {
	t.Helper()
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AppendCertsFromPEM(trusted)
	var peer []*x509.Certificate
	for i, c := range shown {
		peer = append(peer, c.Leaf)
		if i > 0 {
			between.AddCert(c.Leaf)
		}
	}
	chains, err := peer[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if err != nil {
		t.Fatal(err)
	}
	switch err := r.Verify(tls.ConnectionState{PeerCertificates: peer, VerifiedChains: chains}); {
	case err == nil:
		return "good"
	case errors.Is(err, ErrRevoked):
		return "revoked"
	case errors.Is(err, errUnknown):
		return "unknown"
	default:
		return err.Error()
	}
}

func TestRevocationsOfChains(t *testing.T) {
	root := certtest.NewAuthority(t, "root")
	between := root.NewIntermediate("between")
	rotated := certtest.NewAuthority(t, "root") // the same name, another key
	good, bad, direct := between.Issue("good"), between.Issue("bad"), root.Issue("direct")
	ca := func(a *certtest.Authority) []byte { return inPEM("CERTIFICATE", a.Certificate().Certificate[0]) }
	list := func(a *certtest.Authority, next time.Duration, revoked ...tls.Certificate) []byte {
		return inPEM("X509 CRL", a.RevocationList(next, revoked...))
	}
	hour, rootPEM, bothPEM := time.Hour, ca(root), append(ca(root), ca(between)...)
	sent := []tls.Certificate{between.Certificate()}
	for _, tc := range []struct {
		name    string
		trusted []byte
		lists   [][]byte
		shown   tls.Certificate
		sent    []tls.Certificate
		want    string
	}{
		{"all lists", rootPEM, [][]byte{list(root, hour), list(between, hour, bad)}, good, sent, "good"},
		{"revoked by the issuer", rootPEM, [][]byte{list(root, hour), list(between, hour, bad)}, bad, sent, "revoked"},
		{"issuer revoked", rootPEM, [][]byte{list(root, hour, between.Certificate()), list(between, hour)}, good, sent, "revoked"},
		{"no list of the issuer", rootPEM, [][]byte{list(root, hour)}, good, sent, "unknown"},
		{"no list of the root", rootPEM, [][]byte{list(between, hour)}, good, sent, "unknown"},
		{"trusted issuer, no list of the root", bothPEM, [][]byte{list(between, hour)}, good, nil, "good"},
		{"trusted issuer, revoked by the root", bothPEM, [][]byte{list(root, hour, between.Certificate()), list(between, hour)}, good, nil, "revoked"},
		{"trusted issuer, revoked by an expired list", bothPEM, [][]byte{list(root, -hour, between.Certificate()), list(between, hour)}, good, nil, "revoked"},
		{"expired", rootPEM, [][]byte{list(root, -hour)}, direct, nil, "unknown"},
		{"expired, revoked", rootPEM, [][]byte{list(root, -hour, direct)}, direct, nil, "revoked"},
		{"an expired and a current one", rootPEM, [][]byte{list(root, -hour), list(root, hour)}, direct, nil, "good"},
		{"revoked in the other list", rootPEM, [][]byte{list(root, hour), list(root, hour, direct)}, direct, nil, "revoked"},
		{"a list of another key", rootPEM, [][]byte{list(rotated, hour)}, direct, nil, "unknown"},
		{"lists of both keys", rootPEM, [][]byte{list(rotated, hour, direct), list(root, hour)}, direct, nil, "good"},
		{"another issuer's serial number", rootPEM, [][]byte{list(root, hour, good), list(between, hour)}, good, sent, "good"},
		{"a certificate among the lists", rootPEM, [][]byte{rootPEM, list(root, hour)}, direct, nil, "good"},
	} {
		r, err := LoadRevocations([]string{written(t, tc.lists...)}, tc.trusted)
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		for range 2 { // the second time the signatures are already verified
			if got := verdict(t, r, tc.trusted, append([]tls.Certificate{tc.shown}, tc.sent...)...); got != tc.want {
				t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
			}
		}
	}
}

// withExtension returns a list that has an extension.
func withExtension(t *testing.T, a *certtest.Authority, id asn1.ObjectIdentifier, critical bool, value []byte) []byte {
	t.Helper()
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Unix(0, 0), NextUpdate: time.Now().Add(time.Hour),
		ExtraExtensions: []pkix.Extension{{Id: id, Critical: critical, Value: value}}}
	c := a.Certificate()
	der, err := x509.CreateRevocationList(rand.Reader, list, c.Leaf, c.PrivateKey.(crypto.Signer))
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestRevocationListsThatCannotBeUsed(t *testing.T) {
	ca := certtest.NewAuthority(t, "authority")
	trusted := inPEM("CERTIFICATE", ca.Certificate().Certificate[0])
	forged := ca.RevocationList(time.Hour)
	forged[len(forged)-1] ^= 1
	for name, tc := range map[string]struct{ data, want string }{
		"nothing":              {"", "has no revocation list"},
		"text":                 {"nothing good", "has no revocation list"},
		"certificates":         {string(trusted), "has no revocation list"},
		"bad PEM block":        {string(inPEM("X509 CRL", []byte("x"))), "revocation list 1"},
		"forged":               {string(forged), "CN=authority"},
		"cut":                  {string(ca.RevocationList(time.Hour)[:100]), "has no revocation list"},
		"delta":                {string(withExtension(t, ca, deltaIndicator, true, []byte{2, 1, 1})), "delta"},
		"indirect":             {string(withExtension(t, ca, distributionPoint, true, []byte{0x30, 3, 0x84, 1, 0xff})), "indirect"},
		"some reasons":         {string(withExtension(t, ca, distributionPoint, true, []byte{0x30, 4, 0x83, 2, 1, 2})), "reasons"},
		"attributes":           {string(withExtension(t, ca, distributionPoint, true, []byte{0x30, 3, 0x85, 1, 0xff})), "attribute"},
		"bad point":            {string(withExtension(t, ca, distributionPoint, true, []byte{0x30, 3, 0x85})), "bad distribution point"},
		"unknown and critical": {string(withExtension(t, ca, asn1.ObjectIdentifier{1, 2, 3}, true, []byte{5, 0})), "1.2.3"},
	} {
		if _, err := LoadRevocations([]string{written(t, []byte(tc.data))}, trusted); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, tc.want)
		}
	}
	for name, data := range map[string][]byte{
		"unknown": withExtension(t, ca, asn1.ObjectIdentifier{1, 2, 3}, false, []byte{5, 0}),
		"users":   withExtension(t, ca, distributionPoint, true, []byte{0x30, 3, 0x81, 1, 0xff}),
		"no CAs":  withExtension(t, ca, distributionPoint, true, []byte{0x30, 3, 0x82, 1, 0}),
	} {
		if r, err := LoadRevocations([]string{written(t, data)}, trusted); err != nil || verdict(t, r, trusted, ca.Issue("a")) != "good" {
			t.Errorf("extension %s: %v", name, err)
		}
	}
	onlyCAs := withExtension(t, ca, distributionPoint, true, []byte{0x30, 3, 0x82, 1, 0xff})
	if r, err := LoadRevocations([]string{written(t, onlyCAs)}, trusted); err != nil || verdict(t, r, trusted, ca.Issue("a")) != "unknown" {
		t.Errorf("a list of authorities only is good enough for clients: %v", err)
	}
}

// The limit applies to all files together.
func TestRevocationsAreBounded(t *testing.T) {
	ca := certtest.NewAuthority(t, "authority")
	one := written(t, inPEM("X509 CRL", ca.RevocationList(time.Hour)))
	large := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(large, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, maxRevocations); err != nil { // a sparse file
		t.Fatal(err)
	}
	if _, err := LoadRevocations([]string{one, large}, nil); err == nil || !strings.Contains(err.Error(), "64 MiB") {
		t.Errorf("got %v, want an error with the limit", err)
	}
}

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// newCertificate writes a self-signed certificate for backends with its key into dir,
// and returns the file.
func newCertificate(dir string, addrs []string) (file string, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	c := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "campaign"},
		DNSNames:              []string{backendName},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	for _, addr := range addrs {
		host, _, _ := net.SplitHostPort(addr)
		c.IPAddresses = append(c.IPAddresses, net.ParseIP(host))
	}
	der, err1 := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	secret, err2 := x509.MarshalPKCS8PrivateKey(key)
	if err := errors.Join(err1, err2); err != nil {
		return "", err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	text = append(text, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})...)
	file = filepath.Join(dir, "backends.pem")
	return file, os.WriteFile(file, text, 0o600)
}

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// makeCertificate writes a certificate for this run, and returns its files.
func makeCertificate(dir string) (s settings, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return s, err
	}
	t := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "peers.example"},
		DNSNames:     []string{"peers.example"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return s, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return s, err
	}
	certText := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	keyText := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
	for _, f := range []struct {
		at   *string
		name string
		text []byte
	}{{&s.Cert, "cert.pem", certText}, {&s.Key, "key.pem", keyText}, {&s.Pair, "pair.pem", append(certText, keyText...)}} {
		*f.at = filepath.Join(dir, f.name)
		if err := os.WriteFile(*f.at, f.text, 0o600); err != nil {
			return s, err
		}
	}
	return s, nil
}

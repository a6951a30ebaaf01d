package acme

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// cache is the folder of one authority: account.key, HOST.pem with the key and the chain
// for each host, and HOST.token during an order by TLS-ALPN-01 or HTTP-01. Only the owner can read these files.
type cache string

func newCache(folder, directory string) (cache, error) {
	dir := Folder(folder, directory)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("acme.cache: %w", err)
	}
	return cache(dir), nil
}

// Folder returns the folder of the authority at directory within a cache.
func Folder(folder, directory string) string {
	dir := filepath.Join(folder, plainName(directory))
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		dir = filepath.Join(folder, folderName(directory))
	}
	return dir
}

// CheckAccount returns the reason that the account's key in a cache is unusable; nil if
// it is usable or does not exist yet. It changes nothing.
func CheckAccount(folder, directory string) error {
	if !HasAccount(folder, directory) {
		return nil
	}
	_, err := cache(Folder(folder, directory)).accountKey()
	return err
}

// HasAccount reports whether the account's key is in a cache.
func HasAccount(folder, directory string) bool {
	_, err := os.Stat(filepath.Join(Folder(folder, directory), accountFile))
	return !errors.Is(err, fs.ErrNotExist)
}

const accountFile = "account.key"

// folderName returns a different name for each authority, because certificates of a
// staging authority must not be used in production. The name shows only the host of the
// directory's address: metrics and errors name files, and the rest of the address may
// identify an account.
func folderName(directory string) string {
	_, rest, _ := strings.Cut(directory, "://")
	host, _, _ := strings.Cut(rest, "/")
	sum := sha256.Sum256([]byte(directory))
	return plainName("://"+host) + "_" + hex.EncodeToString(sum[:6])
}

// plainName returns the name in earlier versions, which is still used if the folder
// exists.
func plainName(directory string) string {
	_, name, _ := strings.Cut(directory, "://")
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' {
			return r
		}
		return '_'
	}, name)
}

func (c cache) certFile(host string) string  { return c.hostFile(host, ".pem") }
func (c cache) accountFile() string          { return filepath.Join(string(c), accountFile) }
func (c cache) tokenFile(host string) string { return c.hostFile(host, ".token") }

// hostFile returns the name of a host's file, with _ in place of a wildcard's *.
func (c cache) hostFile(host, ending string) string {
	return filepath.Join(string(c), strings.Replace(host, "*", "_", 1)+ending)
}

// accountKey returns the key of the account, and creates it the first time.
func (c cache) accountKey() (crypto.Signer, error) {
	file := c.accountFile()
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		key, data, err := newKey()
		if err != nil {
			return nil, err
		}
		return key, c.put(file, data)
	}
	if err != nil {
		return nil, fmt.Errorf("acme.cache: %w", err)
	}
	key, err := decodeKey(data)
	if err != nil {
		return nil, fmt.Errorf("acme.cache: %s %w", file, err)
	}
	return key, nil
}

var errNoKey = errors.New("holds no key: remove it to create a new account")

// decodeKey reads a key in PEM.
func decodeKey(text []byte) (crypto.Signer, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errNoKey
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("holds a %T, which cannot sign", key)
	}
	return signer, nil
}

// encodeKey is the inverse of decodeKey.
func encodeKey(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// newKey returns a key, also in PEM.
func newKey() (crypto.Signer, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	text, err := encodeKey(key)
	return key, text, err
}

// cert returns the certificate of a host, nil when there is none.
func (c cache) cert(host string) (*tls.Certificate, error) {
	data, err := os.ReadFile(c.certFile(host))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	cert, err := parse(data, host)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.certFile(host), err)
	}
	return cert, nil
}

// parse reads the key and the chain of a host's certificate.
func parse(data []byte, host string) (*tls.Certificate, error) {
	cert, err := tls.X509KeyPair(data, data)
	if err != nil {
		return nil, err
	}
	return &cert, cert.Leaf.VerifyHostname(host)
}

// put replaces a file atomically.
func (c cache) put(file string, data []byte) error {
	f, err := os.CreateTemp(string(c), ".new-*") // readable by its owner only
	if err != nil {
		return fmt.Errorf("acme.cache: %w", err)
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("acme.cache: %w", err)
	}
	return nil
}

// token returns the token of the order in progress for a host; empty if there is none.
func (c cache) token(host string) string {
	data, err := os.ReadFile(c.tokenFile(host))
	if err != nil {
		return ""
	}
	return string(bytes.TrimSpace(data))
}

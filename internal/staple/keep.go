package staple

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// keep is a folder with the last response of each certificate, so that a restart begins
// with it. The zero value keeps nothing.
type keep string

var keptFile = regexp.MustCompile(`^[0-9a-f]{64}\.ocsp$`)

func keptName(cert []byte) string {
	sum := sha256.Sum256(cert)
	return hex.EncodeToString(sum[:]) + ".ocsp"
}

// load returns the response of a certificate, if it is still valid.
func (k keep) load(c *tls.Certificate, now time.Time) (a answer, ok bool) {
	if k == "" {
		return a, false
	}
	issuer, err := issuerOf(c)
	if err != nil {
		return a, false
	}
	f, err := os.Open(filepath.Join(string(k), keptName(c.Certificate[0])))
	if err != nil {
		return a, false
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxResponse))
	if err != nil {
		return a, false
	}
	a, err = verify(raw, c.Leaf, issuer, now)
	return a, err == nil
}

// store writes the response of a certificate; nil removes it.
func (k keep) store(cert, raw []byte) error {
	if k == "" {
		return nil
	}
	file := filepath.Join(string(k), keptName(cert))
	if raw == nil {
		if err := os.Remove(file); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	if err := os.MkdirAll(string(k), 0o700); err != nil {
		return err
	}
	next, err := os.CreateTemp(string(k), ".next-*")
	if err != nil {
		return err
	}
	defer os.Remove(next.Name()) // after success it no longer exists
	_, err = next.Write(raw)
	if err = errors.Join(err, next.Close()); err != nil {
		return err
	}
	return os.Rename(next.Name(), file)
}

// prune removes the responses of all certificates but the used ones.
func (k keep) prune(used map[string]bool) {
	files, _ := os.ReadDir(string(k)) // the folder may not exist yet
	names := map[string]bool{}
	for cert := range used {
		names[keptName([]byte(cert))] = true
	}
	for _, f := range files {
		if keptFile.MatchString(f.Name()) && !names[f.Name()] {
			os.Remove(filepath.Join(string(k), f.Name()))
		}
	}
}

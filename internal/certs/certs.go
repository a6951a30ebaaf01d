// Package certs has a listener's TLS certificates, by name, and the revocation lists
// for its clients' certificates. It reads certificates again when their files change.
package certs

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// File has the sources of one certificate.
type File struct {
	Cert string // PEM: the certificate, then its chain
	Key  string // PEM
	OCSP string // DER: the response to staple; empty = none
}

// checkEvery is the interval of the file checks.
const checkEvery = 2 * time.Second

// Store is a set of certificates. It is safe for concurrent use.
type Store struct {
	files []File
	log   func(File, error)
	live  atomic.Pointer[[]*tls.Certificate]
	seen  []content // of files; belongs to Watch

	unread []string // the reported errors of files that cannot be read; belongs to Watch
}

// content is the content of a certificate's files.
type content struct{ cert, key, ocsp []byte }

func (c content) equal(o content) bool {
	return bytes.Equal(c.cert, o.cert) && bytes.Equal(c.key, o.key) && bytes.Equal(c.ocsp, o.ocsp)
}

// Load reads all files. Its error has all problems. Watch calls log for each
// certificate that it has read again, with an error if the new one is invalid and the
// previous one stays.
func Load(files []File, log func(File, error)) (*Store, error) {
	s := &Store{files: files, log: log, seen: make([]content, len(files)), unread: make([]string, len(files))}
	list := make([]*tls.Certificate, len(files))
	var errs []error
	for i, f := range files {
		c, err := f.read()
		if err == nil {
			list[i], err = f.parse(c)
		}
		if err != nil {
			errs = append(errs, err)
		}
		s.seen[i] = c
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	s.live.Store(&list)
	return s, nil
}

func (f File) read() (c content, err error) {
	if c.cert, err = os.ReadFile(f.Cert); err != nil {
		return c, fmt.Errorf("certificate: %w", err)
	}
	if c.key, err = os.ReadFile(f.Key); err != nil {
		return c, fmt.Errorf("key of %s: %w", f.Cert, err)
	}
	if f.OCSP == "" {
		return c, nil
	}
	if c.ocsp, err = os.ReadFile(f.OCSP); err != nil {
		return c, fmt.Errorf("OCSP response of %s: %w", f.Cert, err)
	}
	return c, nil
}

func (f File) parse(c content) (*tls.Certificate, error) {
	cert, err := tls.X509KeyPair(c.cert, c.key)
	if err != nil {
		return nil, fmt.Errorf("certificate %s with key %s: %w", f.Cert, f.Key, err)
	}
	cert.OCSPStaple = c.ocsp
	return &cert, nil
}

// ParseCertificates returns the certificates in PEM, without those that cannot be
// parsed.
func ParseCertificates(data []byte) (list []*x509.Certificate) {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if c, err := x509.ParseCertificate(block.Bytes); block.Type == "CERTIFICATE" && err == nil {
			list = append(list, c)
		}
	}
	return list
}

// Get is for [tls.Config.GetCertificate]: it returns the first certificate that is for
// the requested name and usable for the client, else the first of all.
func (s *Store) Get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if c := s.Match(hello); c != nil {
		return c, nil
	}
	return s.First(), nil
}

// Match returns the first certificate that is for the requested name and usable for the
// client; nil if there is none.
func (s *Store) Match(hello *tls.ClientHelloInfo) *tls.Certificate {
	for _, c := range *s.live.Load() {
		if hello.SupportsCertificate(c) == nil {
			return c
		}
	}
	return nil
}

// First returns the first certificate; nil if there is none.
func (s *Store) First() *tls.Certificate {
	if list := *s.live.Load(); len(list) > 0 {
		return list[0]
	}
	return nil
}

// Certificates returns all certificates.
func (s *Store) Certificates() []*tls.Certificate { return *s.live.Load() }

// Expiry returns the expiry time of each certificate, by its file.
func (s *Store) Expiry() map[string]time.Time {
	until := make(map[string]time.Time, len(s.files))
	for i, c := range *s.live.Load() {
		until[s.files[i].Cert] = c.Leaf.NotAfter
	}
	return until
}

// Watch checks the files for changes until the caller calls stop, which waits for the
// end.
func (s *Store) Watch() (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(checkEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				s.check()
			case <-done:
				return
			}
		}
	})
	return func() {
		close(done)
		wg.Wait()
	}
}

// check reads the files and adopts changed ones. Certificate and key are replaced one
// after the other, so a pair that does not match may match a moment later. It is
// reported once.
func (s *Store) check() {
	list := append([]*tls.Certificate(nil), *s.live.Load()...)
	changed := false
	for i, f := range s.files {
		c, err := f.read()
		if err != nil {
			// A file may be missing while it is replaced.
			if !errors.Is(err, fs.ErrNotExist) && s.unread[i] != err.Error() && s.log != nil {
				s.unread[i] = err.Error()
				s.log(f, err)
			}
			continue
		}
		s.unread[i] = ""
		if c.equal(s.seen[i]) {
			continue
		}
		s.seen[i] = c
		cert, err := f.parse(c)
		if err == nil {
			list[i], changed = cert, true
		}
		if s.log != nil {
			s.log(f, err)
		}
	}
	if changed {
		s.live.Store(&list)
	}
}

// Package certs holds a listener's TLS certificates, by name and read again
// when their files change, and the revocation lists of its clients' certificates.
package certs

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// File is where one certificate comes from.
type File struct {
	Cert string // PEM: the certificate, then its chain
	Key  string // PEM
	OCSP string // DER: a response that is stapled; empty = none
}

// checkEvery is how often the files are looked at.
const checkEvery = 2 * time.Second

// Store is a set of certificates. It is safe for concurrent use.
type Store struct {
	files []File
	log   func(File, error)
	live  atomic.Pointer[[]*tls.Certificate]
	seen  []content // of files; Watch's
}

// content is what a file held.
type content struct{ cert, key, ocsp []byte }

func (c content) equal(o content) bool {
	return bytes.Equal(c.cert, o.cert) && bytes.Equal(c.key, o.key) && bytes.Equal(c.ocsp, o.ocsp)
}

// Load reads all files, or fails with everything that is wrong with them. log is
// told by Watch of each certificate that was read again, with an error when it
// is not good and the one before stays.
func Load(files []File, log func(File, error)) (*Store, error) {
	s := &Store{files: files, log: log, seen: make([]content, len(files))}
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

// ParseCertificates returns the certificates in PEM that parse.
func ParseCertificates(data []byte) (list []*x509.Certificate) {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if c, err := x509.ParseCertificate(block.Bytes); block.Type == "CERTIFICATE" && err == nil {
			list = append(list, c)
		}
	}
	return list
}

// Get is for [tls.Config.GetCertificate]: the first certificate that is for the
// name the client asks for and that the client can use, else the first of all.
func (s *Store) Get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if c := s.Match(hello); c != nil {
		return c, nil
	}
	return s.First(), nil
}

// Match returns the first certificate that is for the name the client asks for
// and that the client can use; nil when there is none.
func (s *Store) Match(hello *tls.ClientHelloInfo) *tls.Certificate {
	for _, c := range *s.live.Load() {
		if hello.SupportsCertificate(c) == nil {
			return c
		}
	}
	return nil
}

// First returns the first certificate; nil when there is none.
func (s *Store) First() *tls.Certificate {
	if list := *s.live.Load(); len(list) > 0 {
		return list[0]
	}
	return nil
}

// Expiry returns until when each certificate is good, by its file.
func (s *Store) Expiry() map[string]time.Time {
	until := make(map[string]time.Time, len(s.files))
	for i, c := range *s.live.Load() {
		until[s.files[i].Cert] = c.Leaf.NotAfter
	}
	return until
}

// Watch looks for changes of the files until the returned function is called,
// which waits for its end.
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

// check reads the files and takes over those that have changed. Certificate and
// key are replaced one after the other, so that a pair which does not fit may
// fit in a moment: it is told of once.
func (s *Store) check() {
	list := append([]*tls.Certificate(nil), *s.live.Load()...)
	changed := false
	for i, f := range s.files {
		c, err := f.read()
		if err != nil || c.equal(s.seen[i]) {
			continue // a file that is being replaced may be away
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

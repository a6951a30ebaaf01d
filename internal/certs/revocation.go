package certs

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"time"
)

// maxRevocations bounds the size of all files of one [Revocations] together, in bytes.
const maxRevocations = 64 << 20

// maxLadder bounds the number of authorities above a chain.
const maxLadder = 8

// ErrRevoked means that the issuer of a certificate has revoked it.
var ErrRevoked = errors.New("is revoked")

// errUnknown means that no revocation list covers a certificate.
var errUnknown = errors.New("cannot be checked")

// Revocations has the certificates that their issuers have revoked (CRLs, RFC 5280
// section 5). It is safe for concurrent use.
type Revocations struct {
	lists       map[string][]*revocationList // by the issuer's name, in DER
	authorities []*x509.Certificate
	sum         [sha256.Size]byte // checksum of the files
}

// Sum returns a checksum of the files, which changes with their content.
func (r *Revocations) Sum() [sha256.Size]byte { return r.sum }

// LoadRevocations reads files of revocation lists: PEM with any number, or DER with one.
// authorities has the authorities of client certificates, in PEM. If a list has the name
// and the key identifier of one of them, its signature is verified at once, otherwise
// when a chain contains its issuer.
func LoadRevocations(files []string, authorities []byte) (*Revocations, error) {
	r := &Revocations{lists: map[string][]*revocationList{}, authorities: ParseCertificates(authorities)}
	left, sum := int64(maxRevocations), sha256.New()
	for _, name := range files {
		data, err := readUpTo(name, left)
		if err != nil {
			return nil, err
		}
		left -= int64(len(data))
		sum.Write(data)
		lists, err := parseRevocations(data)
		for _, l := range lists {
			if err == nil {
				err = r.add(l)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	sum.Sum(r.sum[:0])
	return r, nil
}

func readUpTo(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s: the revocation lists of a listener exceed the limit of %d MiB", name, maxRevocations>>20)
	}
	return data, err
}

// add adds a list, unless its signature is invalid.
func (r *Revocations) add(l *revocationList) error {
	var bad error
	for _, a := range r.authorities {
		if string(a.RawSubject) != l.name || !l.mayBeOf(a) {
			continue
		}
		if bad = l.verify(a); bad == nil {
			break
		}
	}
	if bad != nil {
		return fmt.Errorf("the revocation list of %s: %w", l.issuer, bad)
	}
	r.lists[l.name] = append(r.lists[l.name], l)
	return nil
}

// Verify is for [tls.Config.VerifyConnection], so it covers resumed sessions, too. A
// client is accepted with a chain in which no certificate is revoked, and in which the
// issuer of each certificate has a current list. The authority at the end of the chain
// needs none, because it is trusted itself.
func (r *Revocations) Verify(s tls.ConnectionState) error {
	if len(s.PeerCertificates) == 0 { // client_auth: optional
		return nil
	}
	err := errUnknown
	for _, chain := range s.VerifiedChains {
		if err = r.check(chain, time.Now()); err == nil {
			return nil
		}
	}
	return err
}

func (r *Revocations) check(chain []*x509.Certificate, now time.Time) error {
	for i := range len(chain) - 1 {
		if err := r.status(chain[i], chain[i+1], now); err != nil {
			return err
		}
	}
	last := chain[len(chain)-1]
	for range maxLadder {
		above := r.above(last)
		if above == nil {
			return nil
		}
		if err := r.status(last, above, now); errors.Is(err, ErrRevoked) {
			return err
		}
		last = above
	}
	return nil
}

// above returns the authority that has issued another one; nil if there is none.
func (r *Revocations) above(c *x509.Certificate) *x509.Certificate {
	if bytes.Equal(c.RawSubject, c.RawIssuer) {
		return nil
	}
	for _, a := range r.authorities {
		if bytes.Equal(a.RawSubject, c.RawIssuer) && c.CheckSignatureFrom(a) == nil {
			return a
		}
	}
	return nil
}

// status returns the error for a certificate according to the lists of its issuer.
func (r *Revocations) status(c, issuer *x509.Certificate, now time.Time) error {
	current, end := false, time.Time{} // of the newest list
	for _, l := range r.lists[string(issuer.RawSubject)] {
		if l.verify(issuer) != nil {
			continue
		}
		if _, listed := l.serials[string(c.SerialNumber.Bytes())]; listed {
			return fmt.Errorf("the client's certificate %q with serial number %x %w by %s", c.Subject, c.SerialNumber, ErrRevoked, l.issuer)
		}
		if l.covers(c) {
			current = current || !l.expired(now)
			if l.end.After(end) {
				end = l.end
			}
		}
	}
	switch {
	case current:
		return nil
	case !end.IsZero():
		return fmt.Errorf("the client's certificate %q %w: the revocation list of %s expired on %s", c.Subject, errUnknown, issuer.Subject, end.UTC().Format(time.RFC3339))
	}
	return fmt.Errorf("the client's certificate %q %w: client_crl has no revocation list of %s", c.Subject, errUnknown, issuer.Subject)
}

// Doubts describes the clients that the lists do not cover, in a stable order: the
// expired lists, and the authorities without a list.
func (r *Revocations) Doubts(now time.Time) (doubts []string) {
	for _, name := range slices.Sorted(maps.Keys(r.lists)) {
		for _, l := range r.lists[name] {
			newer := func(o *revocationList) bool { return o.keyID == l.keyID && !o.expired(now) }
			if l.expired(now) && !slices.ContainsFunc(r.lists[name], newer) {
				doubts = append(doubts, fmt.Sprintf("the revocation list of %s expired on %s: certificates that it has signed are refused", l.issuer, l.end.UTC().Format(time.RFC3339)))
			}
		}
	}
	for _, a := range r.authorities {
		if !slices.ContainsFunc(r.lists[string(a.RawSubject)], func(l *revocationList) bool { return l.verify(a) == nil }) {
			doubts = append(doubts, fmt.Sprintf("there is no revocation list of %s: certificates that it has signed are refused, unless client_ca has them", a.Subject))
		}
	}
	return doubts
}

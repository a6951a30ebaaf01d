package certs

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// revocationList is the list of one issuer.
type revocationList struct {
	name      string // name of the issuer, in DER
	issuer    string // name of the issuer as text
	keyID     string // identifier of the issuer's key; empty = unknown
	end       time.Time
	serials   map[string]struct{}
	onlyUsers bool // does not cover certificates of authorities
	onlyCAs   bool // covers only certificates of authorities

	mu     sync.Mutex
	signed *x509.RevocationList // the data for verifying the signature; nil once key is known
	key    []byte               // the key that has signed it: the SubjectPublicKeyInfo
}

var errSignature = errors.New("is signed with another key")

// parseRevocations returns the lists in a file.
func parseRevocations(data []byte) (lists []*revocationList, err error) {
	list, bad := x509.ParseRevocationList(data)
	if bad == nil {
		l, err := newRevocationList(list)
		return []*revocationList{l}, err
	}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "X509 CRL" {
			continue
		}
		list, err := x509.ParseRevocationList(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("revocation list %d: %w", len(lists)+1, err)
		}
		l, err := newRevocationList(list)
		if err != nil {
			return nil, err
		}
		lists = append(lists, l)
	}
	if len(lists) == 0 {
		return nil, fmt.Errorf("has no revocation list, neither as PEM (X509 CRL) nor as DER: %w", bad)
	}
	return lists, nil
}

// newRevocationList keeps the parts of a parsed list that a lookup needs.
func newRevocationList(list *x509.RevocationList) (*revocationList, error) {
	l := &revocationList{name: string(list.RawIssuer), issuer: list.Issuer.String(), keyID: string(list.AuthorityKeyId), end: list.NextUpdate}
	if err := l.scope(list); err != nil {
		return nil, fmt.Errorf("the revocation list of %s %w", l.issuer, err)
	}
	// The parsed entries take several times the space of the file.
	l.signed = &x509.RevocationList{RawTBSRevocationList: list.RawTBSRevocationList, Signature: list.Signature, SignatureAlgorithm: list.SignatureAlgorithm}
	l.serials = make(map[string]struct{}, len(list.RevokedCertificateEntries))
	for _, e := range list.RevokedCertificateEntries {
		l.serials[string(e.SerialNumber.Bytes())] = struct{}{}
	}
	return l, nil
}

var (
	deltaIndicator    = asn1.ObjectIdentifier{2, 5, 29, 27} // RFC 5280 section 5.2.4
	distributionPoint = asn1.ObjectIdentifier{2, 5, 29, 28} // RFC 5280 section 5.2.5
)

// scope determines which certificates a list covers. A list with an unknown critical
// extension must not be used (RFC 5280 section 5.2).
func (l *revocationList) scope(list *x509.RevocationList) error {
	for _, e := range list.Extensions {
		switch {
		case e.Id.Equal(deltaIndicator):
			return errors.New("is a delta of another list: client_crl needs the complete list")
		case e.Id.Equal(distributionPoint):
			if err := l.point(e.Value); err != nil {
				return err
			}
		case e.Critical:
			return fmt.Errorf("has the critical extension %s, which goodgate does not know", e.Id)
		}
	}
	return nil
}

// point parses an IssuingDistributionPoint. Absent booleans are false.
func (l *revocationList) point(der []byte) error {
	var all asn1.RawValue
	if _, err := asn1.Unmarshal(der, &all); err != nil {
		return fmt.Errorf("has a bad distribution point: %w", err)
	}
	for rest := all.Bytes; len(rest) > 0; {
		var v asn1.RawValue
		var err error
		if rest, err = asn1.Unmarshal(rest, &v); err != nil {
			return fmt.Errorf("has a bad distribution point: %w", err)
		}
		set := slices.ContainsFunc(v.Bytes, func(b byte) bool { return b != 0 })
		switch v.Tag {
		case 1:
			l.onlyUsers = set
		case 2:
			l.onlyCAs = set
		case 3:
			return errors.New("has some reasons only: client_crl needs the complete list")
		case 4:
			if set {
				return errors.New("is about certificates of other issuers (indirect CRL), which goodgate does not support")
			}
		case 5:
			if set {
				return errors.New("is about attribute certificates, which clients do not send")
			}
		}
	}
	return nil
}

// covers reports whether a list would contain a certificate if its issuer had revoked
// it.
func (l *revocationList) covers(c *x509.Certificate) bool {
	return !(c.IsCA && l.onlyUsers || !c.IsCA && l.onlyCAs)
}

// expired reports whether the issuer's next list is already due.
func (l *revocationList) expired(now time.Time) bool { return !l.end.IsZero() && now.After(l.end) }

// mayBeOf reports whether the list names the authority's key, or no key.
func (l *revocationList) mayBeOf(a *x509.Certificate) bool {
	return l.keyID == "" || len(a.SubjectKeyId) == 0 || l.keyID == string(a.SubjectKeyId)
}

// verify returns an error if an issuer has not signed the list. It verifies the
// signature until the key is known, because hashing a large list takes time, and its
// bytes take space.
func (l *revocationList) verify(issuer *x509.Certificate) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.signed == nil {
		if !bytes.Equal(l.key, issuer.RawSubjectPublicKeyInfo) {
			return errSignature
		}
		return nil
	}
	if !l.mayBeOf(issuer) {
		return errSignature
	}
	if err := l.signed.CheckSignatureFrom(issuer); err != nil {
		return err
	}
	l.key, l.signed = issuer.RawSubjectPublicKeyInfo, nil
	return nil
}

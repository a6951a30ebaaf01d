package staple

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"time"

	"golang.org/x/crypto/ocsp"
)

const (
	fetchBound  = 10 * time.Second // for one response
	maxResponse = 64 << 10         // bytes of a response
	maxHops     = 3                // redirects
	skew        = 5 * time.Minute  // by which the issuer's clock may be ahead
	noEnd       = time.Hour        // use of a response without nextUpdate
)

var (
	errRevoked  = errors.New("the certificate is revoked")
	errNoIssuer = errors.New("the certificate's file does not have the issuer's certificate after it, which a request needs")
)

func newClient(t http.RoundTripper) *http.Client {
	return &http.Client{Transport: t, Timeout: fetchBound, CheckRedirect: func(_ *http.Request, via []*http.Request) error {
		if len(via) > maxHops {
			return errors.New("the responder redirects too often")
		}
		return nil
	}}
}

// answer is a good response from the issuer.
type answer struct {
	raw         []byte
	from, until time.Time
}

// half returns the time until half of the validity is over, a little varied so that
// instances take turns.
func (a answer) half(now time.Time) time.Duration {
	at := a.from.Add(a.until.Sub(a.from) / 2)
	if !at.After(now) { // a responder that hands out old responses
		at = now.Add(a.until.Sub(now) / 2)
	}
	wait := at.Sub(now)
	return wait - time.Duration(rand.Float64()*float64(wait)/20)
}

// fetch asks the responders of a certificate, one after the other.
func fetch(ctx context.Context, client *http.Client, c *tls.Certificate) (a answer, err error) {
	issuer, err := issuerOf(c)
	if err != nil {
		return a, err
	}
	request, err := ocsp.CreateRequest(c.Leaf, issuer, nil)
	if err != nil {
		return a, err
	}
	var errs []error
	for _, server := range c.Leaf.OCSPServer[:min(len(c.Leaf.OCSPServer), maxHops)] {
		raw, err := ask(ctx, client, server, request)
		if err == nil {
			a, err = verify(raw, c.Leaf, issuer, time.Now())
		}
		if err == nil || errors.Is(err, errRevoked) {
			return a, err
		}
		errs = append(errs, fmt.Errorf("%s: %w", server, err))
	}
	return a, errors.Join(errs...)
}

// issuerOf returns the certificate of the issuer, which must be next in the chain.
func issuerOf(c *tls.Certificate) (*x509.Certificate, error) {
	if len(c.Certificate) < 2 {
		return nil, errNoIssuer
	}
	issuer, err := x509.ParseCertificate(c.Certificate[1])
	if err != nil || c.Leaf.CheckSignatureFrom(issuer) != nil {
		return nil, errNoIssuer
	}
	return issuer, nil
}

func ask(ctx context.Context, client *http.Client, server string, request []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, server, bytes.NewReader(request))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/ocsp-request")
	req.Header.Set("Accept", "application/ocsp-response")
	res, err := client.Do(req)
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // the address is the caller's
	}
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the responder answers with the status %d", res.StatusCode)
	}
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxResponse+1))
	if err == nil && len(raw) > maxResponse {
		err = fmt.Errorf("the response exceeds the limit of %d bytes", maxResponse)
	}
	return raw, err
}

// verify checks a response: its signature, which certificate it is for, and when it is
// valid.
func verify(raw []byte, leaf, issuer *x509.Certificate, now time.Time) (a answer, err error) {
	r, err := ocsp.ParseResponseForCert(raw, leaf, issuer)
	if err != nil {
		return a, err
	}
	// x/crypto checks that the issuer has signed the responder's certificate, and not
	// that the certificate may sign responses (RFC 6960 section 4.2.2.2).
	if d := r.Certificate; d != nil && !d.Equal(issuer) {
		if !slices.Contains(d.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning) {
			return a, errors.New("the response is signed by a certificate that may not sign responses")
		}
		if now.Before(d.NotBefore) || now.After(d.NotAfter) {
			return a, errors.New("the response is signed by a certificate that is not valid now")
		}
	}
	a = answer{raw, r.ThisUpdate, r.NextUpdate}
	if a.until.IsZero() {
		a.from, a.until = now, now.Add(noEnd)
	}
	if a.until.After(leaf.NotAfter) {
		a.until = leaf.NotAfter
	}
	switch {
	case r.ThisUpdate.After(now.Add(skew)):
		return a, fmt.Errorf("the response is valid only from %v", r.ThisUpdate)
	case !a.until.After(now):
		return a, fmt.Errorf("the response expired on %v", a.until)
	case r.Status == ocsp.Revoked:
		return a, fmt.Errorf("%w since %v, reason %d", errRevoked, r.RevokedAt, r.RevocationReason)
	case r.Status != ocsp.Good:
		return a, errors.New("the responder does not know the certificate")
	}
	return a, nil
}

var (
	featureOID    = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24} // RFC 7633
	statusRequest = 5                                                 // the TLS extension for OCSP responses
)

// MustStaple reports whether a certificate demands that handshakes have a response for it
// (RFC 7633).
func MustStaple(c *x509.Certificate) bool {
	for _, e := range c.Extensions {
		var features []int
		if e.Id.Equal(featureOID) {
			_, err := asn1.Unmarshal(e.Value, &features)
			return err == nil && slices.Contains(features, statusRequest)
		}
	}
	return false
}

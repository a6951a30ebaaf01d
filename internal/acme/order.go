package acme

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	xacme "golang.org/x/crypto/acme"
)

const userAgent = "goodgate"

// client returns a client with a registered account.
func (m *Manager) client(ctx context.Context) (*xacme.Client, error) {
	m.joining.Lock() // held until ctx ends at most
	defer m.joining.Unlock()
	key, err := m.account()
	if err != nil {
		return nil, err
	}
	if m.registered != nil && m.registered.Key == key {
		return m.registered, nil
	}
	c := &xacme.Client{Key: key, DirectoryURL: m.opts.Directory, HTTPClient: m.http, UserAgent: userAgent, RetryBackoff: backoff}
	account := &xacme.Account{}
	if m.opts.Email != "" {
		account.Contact = []string{"mailto:" + m.opts.Email}
	}
	if m.opts.KID != "" {
		account.ExternalAccountBinding = &xacme.ExternalAccountBinding{KID: m.opts.KID, Key: m.opts.MAC}
	}
	_, err = c.Register(ctx, account, xacme.AcceptTOS)
	if errors.Is(err, xacme.ErrAccountAlreadyExists) {
		err = nil
		if account.Contact != nil {
			_, err = c.UpdateReg(ctx, account)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("account: %w", err)
	}
	m.registered = c
	return c, nil
}

// backoff returns the pause before a repeated request within one order, so that the
// authority is not overloaded.
func backoff(n int, _ *http.Request, res *http.Response) time.Duration {
	if n > 5 || res != nil && res.StatusCode == http.StatusTooManyRequests {
		return 0
	}
	return 200 * time.Millisecond << n
}

// forget makes the next order register the account again.
func (m *Manager) forget(c *xacme.Client) {
	m.joining.Lock()
	defer m.joining.Unlock()
	if m.registered == c {
		m.registered = nil
	}
}

// order is an order for one host.
type order struct {
	*site
	claim Claim
}

// request obtains a certificate and returns its key and chain.
func (m *Manager) request(ctx context.Context, o order) ([]byte, error) {
	for again := false; ; again = true {
		c, err := m.client(ctx)
		if err != nil {
			return nil, err
		}
		pem, err := m.requestWith(ctx, c, o)
		if kindOf(err) != "accountDoesNotExist" || again {
			return pem, err
		}
		m.forget(c) // the authority has lost its accounts since
	}
}

// requestWith completes an order with the first challenge that works.
func (m *Manager) requestWith(ctx context.Context, c *xacme.Client, o order) ([]byte, error) {
	var errs []error
	kinds := m.opts.Try()
	if isWildcard(o.host) {
		kinds = []string{DNS01} // RFC 8555 section 7.1.3
	}
	for _, kind := range kinds {
		pem, err := m.requestBy(ctx, c, o, kind)
		if err == nil {
			return pem, nil
		}
		errs = append(errs, &attempt{kind, err})
		if _, ok := errors.AsType[*xacme.AuthorizationError](err); !ok && !errors.Is(err, errNotOffered) {
			break // another challenge would not help
		}
	}
	return nil, errors.Join(errs...)
}

// attempt is the error of an order by one kind of challenge.
type attempt struct {
	kind string
	err  error
}

func (a *attempt) Error() string { return a.kind + ": " + a.err.Error() }
func (a *attempt) Unwrap() error { return a.err }

func isWildcard(host string) bool { return strings.HasPrefix(host, "*.") }

func (m *Manager) requestBy(ctx context.Context, c *xacme.Client, o order, kind string) ([]byte, error) {
	host := o.host
	order, err := m.newOrder(ctx, c, o)
	if err != nil {
		return nil, err
	}
	for _, url := range order.AuthzURLs {
		if err := m.authorize(ctx, c, url, o, kind); err != nil {
			return nil, err
		}
	}
	if order, err = c.WaitOrder(ctx, order.URI); err != nil {
		return nil, err
	}
	key, text, err := newKey()
	if err != nil {
		return nil, err
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: []string{host}}, key)
	if err != nil {
		return nil, err
	}
	chain, _, err := c.CreateCertFromOrder(ctx, order, csr, true)
	if err != nil {
		return nil, err
	}
	b := bytes.NewBuffer(text)
	for _, der := range chain {
		pem.Encode(b, &pem.Block{Type: "CERTIFICATE", Bytes: der})
	}
	return b.Bytes(), nil
}

var (
	errNotOffered = errors.New("the authority does not offer this challenge")
	errNoRecords  = errors.New("acme.dns is not configured")
)

// authorize proves that this process serves the host.
func (m *Manager) authorize(ctx context.Context, c *xacme.Client, url string, o order, kind string) error {
	z, err := c.GetAuthorization(ctx, url)
	if err != nil {
		return err
	}
	if z.Status == xacme.StatusValid {
		return nil // authorised by an earlier order
	}
	i := slices.IndexFunc(z.Challenges, func(c *xacme.Challenge) bool { return c.Type == kind })
	if i < 0 {
		return errNotOffered
	}
	token := z.Challenges[i].Token
	if !isToken(token) {
		return fmt.Errorf("the authority's token %.100q has characters that no token may have", token)
	}
	show := m.show
	if kind == DNS01 {
		show = m.publish
	}
	hide, err := show(ctx, c, o, token)
	if err != nil {
		return err
	}
	defer hide()
	if _, err := c.Accept(ctx, z.Challenges[i]); err != nil {
		return err
	}
	_, err = c.WaitAuthorization(ctx, url)
	return err
}

// show lets this process, and those that share its folder or its store, answer a
// challenge by TLS or HTTP.
func (m *Manager) show(_ context.Context, c *xacme.Client, o order, token string) (hide func(), err error) {
	challenge, err := challengeOf(token, c.Key)
	if err != nil {
		return nil, err
	}
	o.shown.Store(&challenge)
	hide = func() {
		os.Remove(m.cache.tokenFile(o.host))
		o.shown.Store(nil)
	}
	if err = m.cache.put(m.cache.tokenFile(o.host), []byte(token)); err == nil {
		err = o.claim.Show(challenge) // before the authority may check it
	}
	if err != nil {
		hide()
		return nil, err
	}
	return hide, nil
}

// publish creates the DNS record that answers a challenge.
func (m *Manager) publish(ctx context.Context, c *xacme.Client, o order, token string) (hide func(), err error) {
	if m.opts.Records == nil {
		return nil, errNoRecords
	}
	value, err := c.DNS01ChallengeRecord(token)
	if err != nil {
		return nil, err
	}
	return m.opts.Records.Publish(ctx, strings.TrimPrefix(o.host, "*."), value)
}

// isToken reports whether a challenge's token uses only the alphabet of base64url, as
// required (RFC 8555 section 8.1), because the token becomes part of an answer.
func isToken(s string) bool {
	return s != "" && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}

package acme

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"time"

	xacme "golang.org/x/crypto/acme"
)

const (
	// askAgain is the pause before a host is claimed again that another instance has.
	askAgain = 5 * time.Second
	maxApart = 5 * time.Minute // between two claims while the others cannot be reached
	// aloneAfter is how long an instance that cannot reach the others waits until it
	// orders for itself, if a host has no certificate or one that ends soon; up to twice
	// as long, so that not all begin at once.
	aloneAfter = 10 * time.Minute
)

// Share joins the managers of several instances with the same hosts: one of them orders
// for all. It is safe for concurrent use.
type Share interface {
	// Claim asks for the sole right to order for a host. Before it has it, the manager
	// was given ([Manager.Take]) what the others have got. hurry ignores that an order
	// has just failed. The error is an [*Elsewhere], or [ErrApart].
	Claim(ctx context.Context, host string, hurry bool) (Claim, error)
	// Apart returns for how long the others cannot be reached; 0 = they can.
	Apart() time.Duration
	// Challenge returns that of an order of another instance, at this moment.
	Challenge(ctx context.Context, host string) (Challenge, bool)
	// Account returns the key, in PEM, of the account that all use: own if there is none
	// yet, which it is from then on.
	Account(own []byte) []byte
	// Give gives a host's certificate and its key, in PEM, to all.
	Give(host string, text []byte, c *x509.Certificate)
}

// Claim is the sole right to order for a host.
type Claim interface {
	// Context ends when the right does.
	Context() context.Context
	// Failed is how many orders have failed one after the other, at any instance.
	Failed() int
	// Show returns once every instance can answer a challenge, or fails if the right is
	// lost.
	Show(Challenge) error
	// Done gives the right back, once all have what was given. After a failure nobody
	// orders before the time again, unless in a hurry.
	Done(failed int, again time.Time)
}

// Challenge is what an authority asks for while an order is under way.
type Challenge struct {
	Token   string `json:"token"`
	Account []byte `json:"account"` // the public key of the account, in DER (PKIX)
}

// Elsewhere is the error of who claims a host for which another instance orders, or has
// failed to.
type Elsewhere struct{ Again time.Time } // when to ask again; zero = soon

// Error says so.
func (e *Elsewhere) Error() string { return "another instance orders it" }

// ErrApart is why nothing can be claimed without the others.
var ErrApart = errors.New("the other instances cannot be reached, of which one may order it")

// byItself is the claim of an instance that is alone.
type byItself struct{ ctx context.Context }

func (c byItself) Context() context.Context { return c.ctx }
func (byItself) Failed() int                { return 0 }
func (byItself) Show(Challenge) error       { return nil }
func (byItself) Done(int, time.Time)        {}

// claim asks for the right to order for a host.
func (m *Manager) claim(ctx context.Context, s *site) (Claim, error) {
	if m.opts.Share == nil {
		return byItself{ctx}, nil
	}
	c, err := m.opts.Share.Claim(ctx, s.host, s.hurry.Swap(false))
	patience := aloneAfter + time.Duration(s.early*float64(aloneAfter))
	if errors.Is(err, ErrApart) && s.urgent() && m.opts.Share.Apart() > patience {
		return byItself{ctx}, nil
	}
	return c, err
}

// urgent reports whether a host has no certificate, or one of which less than a sixth of
// the lifetime is left.
func (s *site) urgent() bool {
	c := s.cert.Load()
	return c == nil || time.Until(c.Leaf.NotAfter) < c.Leaf.NotAfter.Sub(c.Leaf.NotBefore)/6
}

// Take takes over the certificate of a host, with its key, that another instance has got,
// if it is good for longer.
func (m *Manager) Take(host string, text []byte) {
	s := m.sites[host]
	if s == nil {
		return
	}
	c, err := parse(text, host)
	if err != nil {
		m.opts.Log.Warn("certificate of another instance rejected", "host", host, "error", err.Error())
		return
	}
	if !s.offer(c) {
		return
	}
	m.opts.Log.Info("certificate received from another instance", "host", host, "authority", c.Leaf.Issuer.String(), "until", c.Leaf.NotAfter)
	m.keepFile(s, text)
	s.rouse()
}

// offer puts a certificate into use if it is good for longer than the present one.
func (s *site) offer(c *tls.Certificate) bool {
	for {
		have := s.cert.Load()
		if have != nil && !c.Leaf.NotAfter.After(have.Leaf.NotAfter) {
			return false
		}
		if s.cert.CompareAndSwap(have, c) {
			return true
		}
	}
}

// giveAll gives what the folder has.
func (m *Manager) giveAll() {
	if m.opts.Share == nil {
		return
	}
	for _, s := range m.order {
		if c := s.cert.Load(); c != nil {
			m.give(s, c)
		}
	}
}

func (m *Manager) give(s *site, c *tls.Certificate) {
	if m.opts.Share == nil {
		return
	}
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		m.opts.Log.Warn("certificate not shared with the other instances", "host", s.host, "error", err.Error())
		return
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})
	for _, der := range c.Certificate {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	m.opts.Share.Give(s.host, text, c.Leaf)
}

// account returns the key of the account, which is that of all instances.
func (m *Manager) account() (crypto.Signer, error) {
	own := *m.key.Load()
	if m.opts.Share == nil {
		return own, nil
	}
	text, err := encodeKey(own)
	if err != nil {
		return nil, err
	}
	theirs := m.opts.Share.Account(text)
	key, err := decodeKey(theirs)
	if err != nil {
		return nil, err
	}
	if string(theirs) == string(text) {
		return own, nil
	}
	m.key.Store(&key)
	return key, m.cache.put(m.cache.accountFile(), theirs)
}

// onlyPublic is an account of which only the public key is known. That is enough to answer.
type onlyPublic struct{ key crypto.PublicKey }

func (p onlyPublic) Public() crypto.PublicKey { return p.key }

func (onlyPublic) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("the private key of this account is not here")
}

// client returns one that can answer the challenge.
func (c Challenge) client() (*xacme.Client, error) {
	key, err := x509.ParsePKIXPublicKey(c.Account)
	if err != nil {
		return nil, err
	}
	return &xacme.Client{Key: onlyPublic{key}}, nil
}

// challengeOf returns the challenge of an account.
func challengeOf(token string, account crypto.Signer) (Challenge, error) {
	der, err := x509.MarshalPKIXPublicKey(account.Public())
	return Challenge{Token: token, Account: der}, err
}

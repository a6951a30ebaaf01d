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
	// askAgain is the pause before the next claim of a host that another instance has
	// claimed.
	askAgain = 5 * time.Second
	maxApart = 5 * time.Minute // longest pause between two claims without contact to the others
	// aloneAfter is how long an instance without contact to the others waits before it
	// orders for itself, if a host has no certificate or one that expires soon. The wait
	// is up to twice as long, so that not all instances begin at once.
	aloneAfter = 10 * time.Minute
)

// Share connects the managers of several instances with the same hosts: one of them
// orders for all. It is safe for concurrent use.
type Share interface {
	// Claim requests the exclusive right to order for a host. Before it returns, it
	// passes the other instances' certificates to the manager ([Manager.Take]). hurry
	// ignores a recent failure. The error is an [*Elsewhere], or [ErrApart].
	Claim(ctx context.Context, host string, hurry bool) (Claim, error)
	// Apart returns the time without contact to the others; 0 = in contact.
	Apart() time.Duration
	// Challenge returns the present challenge of another instance's order.
	Challenge(ctx context.Context, host string) (Challenge, bool)
	// Account returns the key of the shared account, in PEM. If there is none yet, own
	// becomes that key.
	Account(own []byte) []byte
	// Give distributes a host's certificate and key, in PEM, to all instances.
	Give(host string, text []byte, c *x509.Certificate)
}

// Claim is the exclusive right to order for a host.
type Claim interface {
	// Context ends when the right does.
	Context() context.Context
	// Failed returns the number of consecutive failed orders, at any instance.
	Failed() int
	// Show returns once every instance can answer a challenge. It fails if the right is
	// lost.
	Show(Challenge) error
	// Done returns the right, once all instances have the given certificate. After a
	// failure no instance orders before again, except in a hurry.
	Done(failed int, again time.Time)
}

// Challenge is the proof that an authority requests during an order.
type Challenge struct {
	Token   string `json:"token"`
	Account []byte `json:"account"` // the public key of the account, in DER (PKIX)
}

// Elsewhere is the error of claiming a host for which another instance orders, or has
// failed to.
type Elsewhere struct{ Again time.Time } // when to ask again; zero = soon

// Error implements error.
func (e *Elsewhere) Error() string { return "another instance orders it" }

// ErrApart means that no claim is possible without contact to the other instances.
var ErrApart = errors.New("the other instances cannot be reached, and one of them may be ordering it")

// byItself is the claim of an instance without others.
type byItself struct{ ctx context.Context }

func (c byItself) Context() context.Context { return c.ctx }
func (byItself) Failed() int                { return 0 }
func (byItself) Show(Challenge) error       { return nil }
func (byItself) Done(int, time.Time)        {}

// claim requests the right to order for a host.
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

// urgent reports whether a host has no certificate, or one with less than a sixth of its
// lifetime left.
func (s *site) urgent() bool {
	c := s.cert.Load()
	return c == nil || time.Until(c.Leaf.NotAfter) < c.Leaf.NotAfter.Sub(c.Leaf.NotBefore)/6
}

// Take uses another instance's certificate and key for a host, if the certificate is
// valid for longer.
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

// offer puts a certificate into use if it is valid for longer than the present one.
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

// giveAll distributes all certificates in the folder.
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

// account returns the key of the account, which all instances share.
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

// onlyPublic is an account with its public key only, which is enough to answer
// challenges.
type onlyPublic struct{ key crypto.PublicKey }

func (p onlyPublic) Public() crypto.PublicKey { return p.key }

func (onlyPublic) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("the private key of this account is not here")
}

// client returns a client that can answer the challenge.
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

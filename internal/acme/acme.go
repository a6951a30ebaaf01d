// Package acme obtains certificates from an authority by ACME (RFC 8555), keeps them in a
// folder, and renews them. It uses the protocol of golang.org/x/crypto/acme.
//
// A [Manager] has one goroutine per host. The goroutine orders a certificate if there is
// none, and again when the authority suggests it (RFC 9773), or else when a third of its
// lifetime is left. The folder keeps the
// certificates, so that another process finds them: the next one, or one that shares the
// folder. It also keeps the tokens of orders in progress (challenge.go), so that both
// processes can answer the challenge. With a [Share] one of several instances orders for
// all (share.go).
//
// cache.go is the folder, order.go one order, transport.go the connection to the
// authority, ari.go the time of renewal, replace.go orders that replace a certificate,
// failing.go the pauses after failures, and explain.go the errors in plain words.
package acme

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	xacme "golang.org/x/crypto/acme"
)

const (
	orderBound  = 5 * time.Minute  // for one order, from account to certificate
	answerBound = 30 * time.Second // for one answer of the authority
	ordersMax   = 4                // concurrent orders
	firstPause  = time.Minute      // after a failed order; twice as long after each more
	maxPause    = 3 * time.Hour
	leastUse    = 5 * time.Second // least time until a new certificate is due; an order that yields less has failed
	maxAsked    = 24 * time.Hour  // longest pause that the authority may ask for
	look        = time.Hour       // interval for checking the clock: a timer does not notice when the clock is set
)

// The challenges that prove that this process serves a host.
const (
	TLSALPN01 = "tls-alpn-01" // RFC 8737
	HTTP01    = "http-01"     // RFC 8555 section 8.3
	DNS01     = "dns-01"      // RFC 8555 section 8.4; the only one for wildcards
)

// Records publishes the TXT records of DNS-01. It is safe for concurrent use.
type Records interface {
	// Publish creates the record of a domain and returns once the authority can see it.
	// After an error there is nothing to remove.
	Publish(ctx context.Context, domain, value string) (remove func(), err error)
	// Patience is how much longer an order may take because of Publish.
	Patience() time.Duration
}

// Options select the hosts, the authority and the account.
type Options struct {
	Directory string          // URL of the authority's directory
	Hosts     []string        // in lower case; one certificate each
	Email     string          // empty = none
	Cache     string          // folder, created if necessary, with one inside per authority
	CA        *x509.CertPool  // verifies the authority's server; nil = the system's
	KID       string          // external account to bind to (EAB); empty = none
	MAC       []byte          // key of the external account
	Try       func() []string // returns the challenges to try, in order; wildcards use DNS01
	Records   Records         // for DNS01; nil = none
	Share     Share           // the other instances; nil = none
	Log       *slog.Logger
}

// Manager holds the certificates of its hosts. It is safe for concurrent use.
type Manager struct {
	opts   Options
	cache  cache
	key    atomic.Pointer[crypto.Signer] // key of the account
	http   *http.Client
	places chan struct{} // one element per order in progress
	sites  map[string]*site
	order  []*site // as in opts.Hosts

	joining    sync.Mutex // protects registered
	registered *xacme.Client

	asking       sync.Mutex // protects the fields below
	renewalBase  string     // address for questions when to renew; empty = the authority takes none
	renewalUntil time.Time  // when to read it again

	stop context.CancelFunc // nil before Start
	done sync.WaitGroup
}

// site is one host.
type site struct {
	host  string
	early float64 // random share of a thirtieth of the lifetime by which renewal is earlier, so that processes take turns
	cert  atomic.Pointer[tls.Certificate]
	shown atomic.Pointer[Challenge] // challenge of the order in progress here
	hurry atomic.Bool               // retry a failed order at once

	renewal renewal // only for the site's goroutine
	wake    chan struct{}
}

// New reads the folder, and creates the account's key if there is none. It contacts no
// server.
func New(o Options) (*Manager, error) {
	m := &Manager{opts: o, sites: map[string]*site{}, places: make(chan struct{}, ordersMax)}
	var err error
	if m.cache, err = newCache(o.Cache, o.Directory); err != nil {
		return nil, err
	}
	key, err := m.cache.accountKey()
	if err != nil {
		return nil, err
	}
	m.key.Store(&key)
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{RootCAs: o.CA}
	t.ForceAttemptHTTP2 = true
	m.http = &http.Client{Transport: transport{t}, Timeout: answerBound}
	for _, host := range o.Hosts {
		if m.sites[host] != nil {
			continue
		}
		s := &site{host: host, early: rand.Float64(), wake: make(chan struct{}, 1)}
		m.sites[host] = s
		m.order = append(m.order, s)
		m.reread(s)
	}
	return m, nil
}

// Start orders and renews certificates until Close.
func (m *Manager) Start() {
	ctx, stop := context.WithCancel(context.Background())
	m.stop = stop
	m.giveAll()
	for _, s := range m.order {
		m.done.Go(func() { m.keep(ctx, s) })
	}
}

// Close ends the work of Start, including orders in progress. The certificates remain
// available.
func (m *Manager) Close() {
	if m.stop != nil {
		m.stop()
		m.done.Wait()
	}
	m.http.CloseIdleConnections()
}

// Retry ends the pause of all hosts whose order has failed.
func (m *Manager) Retry() {
	for _, s := range m.order {
		s.hurry.Store(true)
		s.rouse()
	}
}

// rouse wakes the goroutine of the site.
func (s *site) rouse() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Get returns the certificate for the name that a client requests: nil if the name is not
// in the list, or has no certificate yet. A client without a name gets the first
// certificate.
func (m *Manager) Get(hello *tls.ClientHelloInfo) *tls.Certificate {
	name := strings.ToLower(hello.ServerName)
	if s := m.sites[name]; s != nil {
		return s.cert.Load()
	}
	if _, parent, ok := strings.Cut(name, "."); ok && m.sites["*."+parent] != nil {
		return m.sites["*."+parent].cert.Load()
	}
	if name == "" {
		return m.First()
	}
	return nil
}

// First returns the first available certificate; nil if there is none.
func (m *Manager) First() *tls.Certificate {
	for _, s := range m.order {
		if c := s.cert.Load(); c != nil {
			return c
		}
	}
	return nil
}

// Certificates returns those that are available.
func (m *Manager) Certificates() (list []*tls.Certificate) {
	for _, s := range m.order {
		if c := s.cert.Load(); c != nil {
			list = append(list, c)
		}
	}
	return list
}

// Expiry returns the expiry of each certificate, by file: 1970 for one that could not be
// obtained yet.
func (m *Manager) Expiry() map[string]time.Time {
	until := map[string]time.Time{}
	for _, s := range m.order {
		until[m.cache.certFile(s.host)] = time.Unix(0, 0)
		if c := s.cert.Load(); c != nil {
			until[m.cache.certFile(s.host)] = c.Leaf.NotAfter
		}
	}
	return until
}

// keep maintains a valid certificate for a host until ctx ends.
func (m *Manager) keep(ctx context.Context, s *site) {
	var f failing
	for {
		next := s.due()
		if f.next.After(next) {
			next = f.next
		} else if ask, ok := s.askAt(); ok && ask.Before(next) {
			next = ask
		}
		if !s.sleep(ctx, next) {
			return
		}
		m.reread(s) // another process may have renewed it
		m.consult(ctx, s)
		if time.Now().Before(s.due()) {
			f = failing{}
			s.hurry.Store(false)
			continue
		}
		m.turn(ctx, s, &f)
	}
}

// turn orders a certificate, unless another instance does.
func (m *Manager) turn(ctx context.Context, s *site, f *failing) {
	select {
	case m.places <- struct{}{}:
		defer func() { <-m.places }()
	case <-ctx.Done():
		return
	}
	claim, err := m.claim(ctx, s)
	if err != nil {
		m.wait(s, f, err)
		return
	}
	if time.Now().Before(s.due()) { // another instance has renewed it
		*f = failing{}
		claim.Done(0, time.Time{})
		return
	}
	f.count, f.apart = max(f.count, claim.Failed()), 0
	m.opts.Log.Info("ordering a certificate", "host", s.host, "failed_before", f.count)
	err = m.renew(claim, s)
	switch {
	case ctx.Err() != nil:
		claim.Done(0, time.Time{})
		return
	case err == nil:
		*f = failing{}
	case claim.Context().Err() != nil:
		m.wait(s, f, context.Cause(claim.Context()))
	default:
		f.note(err)
		m.tell(s, f, err)
	}
	claim.Done(f.count, f.next)
}

// due returns when the certificate must be renewed. Only the site's goroutine calls it.
func (s *site) due() time.Time {
	c := s.cert.Load()
	if c == nil {
		return time.Time{}
	}
	if s.renewal.of == c.Leaf && !s.renewal.at.IsZero() {
		return s.renewal.at
	}
	return s.dueOf(c)
}

// dueOf returns the time for renewing a certificate: when a third of its lifetime is
// left, as Let's Encrypt recommends for any lifetime.
func (s *site) dueOf(c *tls.Certificate) time.Time {
	life := c.Leaf.NotAfter.Sub(c.Leaf.NotBefore)
	return c.Leaf.NotAfter.Add(-life/3 - time.Duration(s.early*float64(life)/30))
}

// sleep waits until a time or a wake-up, and reports whether ctx is still valid.
func (s *site) sleep(ctx context.Context, until time.Time) bool {
	for {
		left := time.Until(until)
		if left <= 0 {
			return ctx.Err() == nil
		}
		timer := time.NewTimer(min(left, look))
		select {
		case <-timer.C:
		case <-s.wake:
			timer.Stop()
			return true
		case <-ctx.Done():
			timer.Stop()
			return false
		}
	}
}

// reread uses the certificate in the folder if it is valid for longer.
func (m *Manager) reread(s *site) {
	c, err := m.cache.cert(s.host)
	if err != nil {
		m.opts.Log.Warn("stored certificate rejected: goodgate orders a new one", "host", s.host, "error", err.Error())
		return
	}
	if c != nil && s.offer(c) && m.stop != nil {
		m.give(s, c)
	}
}

// renew orders a certificate and puts it into use.
func (m *Manager) renew(claim Claim, s *site) error {
	bound := orderBound
	if m.opts.Records != nil {
		bound += m.opts.Records.Patience()
	}
	ctx, cancel := context.WithTimeoutCause(claim.Context(), bound, errSlow)
	defer cancel()
	text, err := m.request(ctx, order{s, claim})
	if err != nil {
		if errors.Is(context.Cause(ctx), errSlow) {
			return fmt.Errorf("%w: %w", errSlow, err)
		}
		return err
	}
	c, err := parse(text, s.host)
	if err != nil {
		return fmt.Errorf("what the authority has issued: %w", err)
	}
	if s.offer(c) {
		m.opts.Log.Info("certificate obtained", "host", s.host, "authority", c.Leaf.Issuer.String(), "until", c.Leaf.NotAfter)
		m.keepFile(s, text)
		m.give(s, c)
	}
	if due := s.dueOf(c); time.Until(due) < leastUse {
		return fmt.Errorf("%w: it is valid from %v to %v", errDue, c.Leaf.NotBefore, c.Leaf.NotAfter)
	}
	return nil
}

// keepFile saves a certificate for the next process.
func (m *Manager) keepFile(s *site, text []byte) {
	if err := m.cache.put(m.cache.certFile(s.host), text); err != nil {
		m.opts.Log.Error("certificate not stored: after a restart goodgate orders another", "host", s.host, "error", err.Error())
	}
}

// errDue is the error of an order whose certificate is already due. Repeating the order
// at once would continue until the authority refuses.
var errDue = errors.New("the certificate that was issued is due for renewal already")

// errSlow is the error of an order that exceeds orderBound.
var errSlow = errors.New("the order took too long")

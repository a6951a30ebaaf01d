package gate

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/goodgate/goodgate/internal/acme"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/fleet"
)

const (
	// settleFor is how long the store must have answered before an instance claims a
	// host: when the store returns, the instances first write what it has missed.
	settleFor = 2 * time.Second
	// failedFor is how long the store remembers a row of failed orders after the pause
	// that follows it.
	failedFor = time.Hour
	// doneWithin bounds the work of an instance after an order.
	doneWithin = 2 * time.Second
	// challengeGap is the least time between two reads of one host's challenge from the
	// store. Any client can cause such a read.
	challengeGap = 20 * time.Millisecond
)

// fleetCerts shares the certificates that the instances obtain, and the keys of their
// accounts with certificate authorities. Its words are sealed with the fleet's secret.
type fleetCerts struct {
	words *fleet.Words

	mu   sync.Mutex            // protects ears
	ears map[string][]*certEar // by the keys of words
}

// certEar is a manager that wants the certificate of a host.
type certEar struct {
	*fleetACME
	host string
}

// shareCerts follows the certificates of the other instances. It is called once, before
// the fleet runs.
func (f *inFleet) shareCerts() {
	f.certs = &fleetCerts{words: f.NewWords("certificates"), ears: map[string][]*certEar{}}
	f.certs.words.Follow(func(w fleet.Word) bool {
		f.certs.mu.Lock()
		ears := slices.Clone(f.certs.ears[w.Key])
		f.certs.mu.Unlock()
		for _, e := range ears {
			e.manager.Take(e.host, w.Value)
		}
		return true
	})
}

// fleetACME is the part of one certificate manager. It implements [acme.Share].
type fleetACME struct {
	fleet   *fleet.Fleet
	certs   *fleetCerts
	scope   string // identifies the authority and the account
	manager *acme.Manager
	looks   map[string]*shownLook // by host
}

// certsOf returns the part for a manager that the caller creates next; nil without a
// fleet.
func (f *inFleet) certsOf(c config.ACME) *fleetACME {
	if f == nil {
		return nil
	}
	a := &fleetACME{fleet: f.Fleet, certs: f.certs, scope: c.Directory + "\n" + c.EAB.KID + "\n", looks: map[string]*shownLook{}}
	for _, host := range c.Hosts {
		a.looks[host] = &shownLook{turn: make(chan struct{}, 1)}
	}
	return a
}

// join gives a manager the certificates of the other instances. a may be nil.
func (a *fleetACME) join(m *acme.Manager) {
	if a == nil {
		return
	}
	a.manager = m
	a.certs.mu.Lock()
	for host := range a.looks {
		key := a.key("certificate " + host)
		a.certs.ears[key] = append(a.certs.ears[key], &certEar{a, host})
	}
	a.certs.mu.Unlock()
	for host := range a.looks {
		if w, ok := a.certs.words.Get(a.key("certificate " + host)); ok {
			m.Take(host, w.Value)
		}
	}
}

// leave disconnects a closed manager. a may be nil.
func (a *fleetACME) leave() {
	if a == nil {
		return
	}
	a.certs.mu.Lock()
	defer a.certs.mu.Unlock()
	for key, ears := range a.certs.ears {
		ears = slices.DeleteFunc(ears, func(e *certEar) bool { return e.fleetACME == a })
		if a.certs.ears[key] = ears; len(ears) == 0 {
			delete(a.certs.ears, key)
		}
	}
}

// key returns the key of a word about what.
func (a *fleetACME) key(what string) string {
	return strconv.FormatUint(a.fleet.Hash([]byte(a.scope+what)), 36)
}

func (a *fleetACME) claimName(host string) string { return "acme " + a.scope + host }

// Apart implements [acme.Share].
func (a *fleetACME) Apart() time.Duration {
	if s := a.fleet.State(); !s.Connected {
		return time.Since(s.Changed)
	}
	return 0
}

// Account implements [acme.Share].
func (a *fleetACME) Account(own []byte) []byte {
	key := a.key("account")
	if w, ok := a.certs.words.Get(key); ok {
		return w.Value
	}
	a.certs.words.Set(key, own, time.Time{})
	return own
}

// Give implements [acme.Share].
func (a *fleetACME) Give(host string, text []byte, c *x509.Certificate) {
	a.certs.words.SetAt(a.key("certificate "+host), text, c.NotBefore, c.NotAfter)
}

// certNote is the store's record of an order: its challenge, or its failure.
type certNote struct {
	Challenge *acme.Challenge `json:"challenge,omitempty"`
	Failed    int             `json:"failed,omitempty"`
	Again     time.Time       `json:"again,omitzero"` // by the store's clock
}

// Claim implements [acme.Share].
func (a *fleetACME) Claim(ctx context.Context, host string, hurry bool) (acme.Claim, error) {
	if !a.settled(ctx) {
		return nil, acme.ErrApart
	}
	over, failed := uint64(0), 0
	for range 3 { // an entry may expire meanwhile
		c, err := a.fleet.Claim(ctx, a.claimName(host), over)
		if err == nil {
			if a.certs.words.Sync(ctx) != nil { // Sync gives the manager the certificates that it lacks
				c.Release(context.WithoutCancel(ctx))
				return nil, acme.ErrApart
			}
			return &certClaim{a, c, failed}, nil
		}
		over = 0
		if taken, ok := errors.AsType[*fleet.Claimed](err); ok {
			var n certNote
			if json.Unmarshal(taken.Note, &n) != nil || n.Again.IsZero() {
				return nil, &acme.Elsewhere{}
			}
			if !hurry && a.fleet.Now().Before(n.Again) {
				return nil, &acme.Elsewhere{Again: a.fleet.Local(n.Again)}
			}
			over, failed = taken.Revision, n.Failed
		} else if !errors.Is(err, fleet.ErrNotFound) {
			return nil, acme.ErrApart
		}
	}
	return nil, &acme.Elsewhere{}
}

// settled waits until the store has answered for settleFor; it returns false if the store
// does not.
func (a *fleetACME) settled(ctx context.Context) bool {
	s := a.fleet.State()
	timer := time.NewTimer(settleFor - time.Since(s.Changed))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return false
	}
	now := a.fleet.State()
	return s.Connected && now.Connected && now.Changed.Equal(s.Changed)
}

// certClaim implements [acme.Claim].
type certClaim struct {
	acme *fleetACME
	*fleet.Claim
	failed int
}

// Failed implements [acme.Claim].
func (c *certClaim) Failed() int { return c.failed }

// Show implements [acme.Claim]. While the store does not answer, Show tries again until
// the claim ends.
func (c *certClaim) Show(ch acme.Challenge) error {
	note, err := json.Marshal(certNote{Challenge: &ch})
	if err != nil {
		return err
	}
	ctx := c.Context()
	for {
		err := c.Note(ctx, note)
		if err == nil || errors.Is(err, fleet.ErrLost) || ctx.Err() != nil {
			return err
		}
		pause := time.NewTimer(time.Second / 2)
		select {
		case <-pause.C:
		case <-ctx.Done():
		}
		pause.Stop()
	}
}

// Done implements [acme.Claim].
func (c *certClaim) Done(failed int, again time.Time) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Context()), doneWithin)
	defer cancel()
	if failed > 0 {
		note, err := json.Marshal(certNote{Failed: failed, Again: again.Add(c.acme.fleet.Offset())})
		if err == nil {
			c.Leave(ctx, note, time.Until(again)+failedFor)
			return
		}
	}
	if c.acme.certs.words.Sync(ctx) != nil {
		c.Drop() // no other instance may claim it before it can read the certificate
		return
	}
	c.Release(ctx)
}

// shownLook reads the challenge of a host from the store. Concurrent callers share one
// read, which begins after all of them have asked, so that requests cannot flood the
// store.
type shownLook struct {
	turn chan struct{} // held during a read

	mu   sync.Mutex // protects next
	next *oneLook   // a read that has not begun; nil = none
}

type oneLook struct {
	done  chan struct{} // closed once shown is set
	shown *acme.Challenge
}

// Challenge implements [acme.Share].
func (a *fleetACME) Challenge(ctx context.Context, host string) (acme.Challenge, bool) {
	l := a.looks[host]
	if l == nil || a.Apart() > 0 {
		return acme.Challenge{}, false
	}
	l.mu.Lock()
	look := l.next
	first := look == nil
	if first {
		look = &oneLook{done: make(chan struct{})}
		l.next = look
	}
	l.mu.Unlock()
	if first { // this caller reads for all, even if its own client leaves
		l.look(look, func() *acme.Challenge { return a.shown(context.WithoutCancel(ctx), host) })
	}
	select {
	case <-look.done:
	case <-ctx.Done():
		return acme.Challenge{}, false
	}
	if look.shown == nil {
		return acme.Challenge{}, false
	}
	return *look.shown, true
}

func (l *shownLook) look(one *oneLook, find func() *acme.Challenge) {
	l.turn <- struct{}{}
	l.mu.Lock()
	l.next = nil // later callers need another read
	l.mu.Unlock()
	one.shown = find()
	close(one.done)
	<-time.After(challengeGap)
	<-l.turn
}

// shown returns the challenge of the order in progress; nil without one.
func (a *fleetACME) shown(ctx context.Context, host string) *acme.Challenge {
	claimed, err := a.fleet.Look(ctx, a.claimName(host))
	if err != nil {
		return nil
	}
	var n certNote
	if json.Unmarshal(claimed.Note, &n) != nil {
		return nil
	}
	return n.Challenge
}

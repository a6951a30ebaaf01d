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
	// settleFor is how long the store has to answer before a host is claimed: when it
	// comes back, the instances first say what it has missed.
	settleFor = 2 * time.Second
	// failedFor is how long a row of failed orders is remembered after its pause.
	failedFor = time.Hour
	// doneWithin bounds what an instance does after an order.
	doneWithin = 2 * time.Second
	// challengeGap is between two looks into the store for the challenge of one host,
	// which anybody can ask for.
	challengeGap = 20 * time.Millisecond
)

// fleetCerts are the certificates that the instances get for each other, and the keys of
// their accounts with authorities. Words are sealed with the fleet's secret.
type fleetCerts struct {
	words *fleet.Words

	mu   sync.Mutex            // protects ears
	ears map[string][]*certEar // by the keys of words
}

// certEar is who wants the certificate of a host.
type certEar struct {
	*fleetACME
	host string
}

// shareCerts is called once, before the fleet runs.
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

// fleetACME is the part of one manager of certificates. It is an [acme.Share].
type fleetACME struct {
	fleet   *fleet.Fleet
	certs   *fleetCerts
	scope   string // what tells authorities and accounts apart
	manager *acme.Manager
	looks   map[string]*shownLook // by host
}

// certsOf returns the part of a manager that is yet to be made; nil without a fleet.
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

// join lets a manager have what the others have got. a may be nil.
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

// leave is for a manager that has been closed. a may be nil.
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

// key is that of a word about what.
func (a *fleetACME) key(what string) string {
	return strconv.FormatUint(a.fleet.Hash([]byte(a.scope+what)), 36)
}

func (a *fleetACME) claimName(host string) string { return "acme " + a.scope + host }

// Apart is described at [acme.Share].
func (a *fleetACME) Apart() time.Duration {
	if s := a.fleet.State(); !s.Connected {
		return time.Since(s.Changed)
	}
	return 0
}

// Account is described at [acme.Share].
func (a *fleetACME) Account(own []byte) []byte {
	key := a.key("account")
	if w, ok := a.certs.words.Get(key); ok {
		return w.Value
	}
	a.certs.words.Set(key, own, time.Time{})
	return own
}

// Give is described at [acme.Share].
func (a *fleetACME) Give(host string, text []byte, c *x509.Certificate) {
	a.certs.words.SetAt(a.key("certificate "+host), text, c.NotBefore, c.NotAfter)
}

// certNote is what the store has of an order: its challenge, or that it has failed.
type certNote struct {
	Challenge *acme.Challenge `json:"challenge,omitempty"`
	Failed    int             `json:"failed,omitempty"`
	Again     time.Time       `json:"again,omitzero"` // by the store's clock
}

// Claim is described at [acme.Share].
func (a *fleetACME) Claim(ctx context.Context, host string, hurry bool) (acme.Claim, error) {
	if !a.settled(ctx) {
		return nil, acme.ErrApart
	}
	over, failed := uint64(0), 0
	for range 3 { // an entry may end just then
		c, err := a.fleet.Claim(ctx, a.claimName(host), over)
		if err == nil {
			if a.certs.words.Sync(ctx) != nil { // which has the manager take what it lacks
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

// settled waits until the store has answered for a while; false if it does not.
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

// certClaim is an [acme.Claim].
type certClaim struct {
	acme *fleetACME
	*fleet.Claim
	failed int
}

// Failed is described at [acme.Claim].
func (c *certClaim) Failed() int { return c.failed }

// Show is described at [acme.Claim]. While the store does not answer it tries again, for
// as long as the claim lasts.
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

// Done is described at [acme.Claim].
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
		c.Drop() // who claims it next must find what was given
		return
	}
	c.Release(ctx)
}

// shownLook looks for the challenge of a host. All who ask at the same moment get what one
// look has found that began after they asked, so that requests cannot flood the store.
type shownLook struct {
	turn chan struct{} // held by who looks

	mu   sync.Mutex // protects next
	next *oneLook   // which has not begun; nil = there is none
}

type oneLook struct {
	done  chan struct{} // closed once shown is there
	shown *acme.Challenge
}

// Challenge is described at [acme.Share].
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
	if first { // it looks for the others too, even if its own client leaves
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
	l.next = nil // who asks from now on needs another
	l.mu.Unlock()
	one.shown = find()
	close(one.done)
	<-time.After(challengeGap)
	<-l.turn
}

// shown returns the challenge of the order that is under way; nil without one.
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

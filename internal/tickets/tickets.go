// Package tickets has the keys of TLS session tickets (RFC 8446 section 4.6.1,
// RFC 5077): changed every day, and given to the next process, so that clients
// resume their sessions there.
package tickets

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	rotation = 24 * time.Hour
	// lifetime is of a key: that of the tickets it seals, which crypto/tls takes
	// for seven days, after its last day of sealing.
	lifetime = 7*24*time.Hour + rotation
	most     = 16 // keys that are taken from another process
)

// Key is a secret from which the keys of listeners are derived. It must get
// neither to a disk nor into a log.
type Key struct {
	Secret [32]byte  `json:"secret"`
	Made   time.Time `json:"made"`
}

// String hides the secret.
func (k Key) String() string { return "(hidden)" }

// GoString hides the secret from %#v.
func (k Key) GoString() string { return k.String() }

// LogValue hides the secret from log/slog.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// Ring is a row of keys, of which the first, the newest, seals. It is safe for
// concurrent use.
type Ring struct {
	made atomic.Pointer[func()] // told of a new key; nil = nobody

	mu   sync.Mutex // protects keys
	keys []Key
}

// New returns a ring with the keys of the process before this one, if there are
// any.
func New(keys []Key) *Ring {
	return &Ring{keys: append([]Key(nil), keys[:min(len(keys), most)]...)}
}

// Keys returns the keys for the next process, and the time of the first, by
// which changes are noticed. It makes one when the newest is a day old, and
// forgets those whose tickets have ended.
func (r *Ring) Keys(now time.Time) []Key {
	keys, fresh := r.current(now)
	if made := r.made.Load(); fresh && made != nil {
		(*made)()
	}
	return keys
}

// OnMade calls f when the ring has made a key, without a lock held.
func (r *Ring) OnMade(f func()) { r.made.Store(&f) }

// Add takes over keys of another process that serves the same listeners. The newest of
// all seals, so that rings that exchange their keys come to seal with the same. It
// reports whether the ring has keys that are not among these.
func (r *Ring) Add(keys []Key) (more bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := slices.Clone(r.keys)
	for _, k := range keys[:min(len(keys), most)] {
		if !slices.ContainsFunc(all, func(own Key) bool { return own.Secret == k.Secret }) {
			all = append(all, k)
		}
	}
	slices.SortStableFunc(all, func(a, b Key) int { return cmp.Or(b.Made.Compare(a.Made), bytes.Compare(a.Secret[:], b.Secret[:])) })
	r.keys = all[:min(len(all), most)]
	return slices.ContainsFunc(r.keys, func(own Key) bool {
		return !slices.ContainsFunc(keys, func(k Key) bool { return k.Secret == own.Secret })
	})
}

// current returns the keys of a moment; fresh says that one was made.
func (r *Ring) current(now time.Time) (_ []Key, fresh bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	// A time in the future is of a clock that was set back.
	if len(r.keys) == 0 || now.Sub(r.keys[0].Made).Abs() >= rotation {
		k := Key{Made: now}
		rand.Read(k.Secret[:]) // which never fails
		keys := []Key{k}
		for _, old := range r.keys {
			if now.Sub(old.Made).Abs() < lifetime && len(keys) < most {
				keys = append(keys, old)
			}
		}
		r.keys, fresh = keys, true
	}
	return r.keys, fresh
}

// Seal makes a configuration use the ring. A ticket of one scope is no good in
// another: a listener that lets others in must not take it. Clones of the
// configuration go on following the ring.
func (r *Ring) Seal(c *tls.Config, scope []byte) {
	s := &sealer{ring: r, scope: sha256.Sum256(scope)}
	c.WrapSession = func(cs tls.ConnectionState, ss *tls.SessionState) ([]byte, error) {
		return s.config().EncryptTicket(cs, ss)
	}
	c.UnwrapSession = func(ticket []byte, cs tls.ConnectionState) (*tls.SessionState, error) {
		return s.config().DecryptTicket(ticket, cs)
	}
}

// sealer has the keys of one scope.
type sealer struct {
	ring  *Ring
	scope [sha256.Size]byte

	mu   sync.Mutex // protects the fields below
	of   []Key      // that keys is derived from
	keys tls.Config // of which nothing but its ticket keys are used
}

// config returns one with the keys of this moment.
func (s *sealer) config() *tls.Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	keys := s.ring.Keys(time.Now())
	if len(s.of) != len(keys) || &s.of[0] != &keys[0] { // a change makes a new slice
		derived := make([][32]byte, len(keys))
		for i, k := range keys {
			h := hmac.New(sha256.New, k.Secret[:])
			h.Write(s.scope[:])
			h.Sum(derived[i][:0])
		}
		s.keys.SetSessionTicketKeys(derived)
		s.of = keys
	}
	return &s.keys
}

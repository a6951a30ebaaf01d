// Package tickets manages the keys of TLS session tickets (RFC 8446 section 4.6.1, RFC
// 5077). It changes them every day, and passes them to the next process, so that
// clients can resume their sessions there.
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
	// lifetime is the lifetime of a key: its last day of sealing, and the seven days
	// for which crypto/tls accepts tickets.
	lifetime = 7*24*time.Hour + rotation
	most     = 16 // limit on the keys adopted from another process
)

// Key is a secret from which the keys of listeners are derived. It must not be written
// to a disk or a log.
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

// Ring is a list of keys. The first, the newest, seals. It is safe for concurrent use.
type Ring struct {
	made atomic.Pointer[func()] // called with a new key; may be nil

	mu   sync.Mutex // protects keys
	keys []Key
}

// New returns a ring with the keys of the previous process, if there are any.
func New(keys []Key) *Ring {
	return &Ring{keys: append([]Key(nil), keys[:min(len(keys), most)]...)}
}

// Keys returns the keys for the next process. It creates a key if the newest is a day
// old, and drops those whose tickets have expired.
func (r *Ring) Keys(now time.Time) []Key {
	keys, fresh := r.current(now)
	if made := r.made.Load(); fresh && made != nil {
		(*made)()
	}
	return keys
}

// OnMade calls f, without a lock, whenever the ring has created a key.
func (r *Ring) OnMade(f func()) { r.made.Store(&f) }

// Add adopts keys of another process that serves the same listeners. The newest of all
// keys seals, so rings that exchange their keys converge. It reports whether the ring
// has keys that are not among these.
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

// current returns the keys at a time; fresh means that one was created.
func (r *Ring) current(now time.Time) (_ []Key, fresh bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	// A time in the future is from a clock that was set back.
	if len(r.keys) == 0 || now.Sub(r.keys[0].Made).Abs() >= rotation {
		k := Key{Made: now}
		rand.Read(k.Secret[:]) // never fails
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

// Seal makes a configuration use the ring. Tickets are valid only in their scope,
// because a listener must not accept tickets of one with other access rules. Clones of
// the configuration continue to follow the ring.
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
	of   []Key      // source of keys
	keys tls.Config // only its ticket keys are used
}

// config returns a configuration with the present keys.
func (s *sealer) config() *tls.Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	keys := s.ring.Keys(time.Now())
	if len(s.of) != len(keys) || &s.of[0] != &keys[0] { // a change creates a new slice
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

package proxy

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"time"
)

// Sticky keeps a client on the upstream that served it first, by a cookie that
// is signed, so that a client cannot choose its upstream. Affinity is a
// preference: when the upstream is not available the client moves to another
// and stays there.
type Sticky struct {
	Cookie   string
	Secret   []byte        // signs the cookie; empty = random, so cookies do not outlive the process
	TTL      time.Duration // of the cookie; 0 = until the browser closes
	Secure   *bool         // whether to mark it Secure; nil = when the client came by HTTPS
	SameSite http.SameSite
}

// NewSticky returns s ready for use.
func NewSticky(s Sticky) *Sticky {
	if len(s.Secret) == 0 {
		s.Secret = make([]byte, 32)
		rand.Read(s.Secret)
	}
	return &s
}

const (
	stickyID  = 8  // bytes of the upstream's ID
	stickyMAC = 16 // bytes of its signature
)

// read returns the ID of the upstream the client is pinned to, 0 without one
// or with one that goodgate did not sign.
func (s *Sticky) read(r *http.Request) uint64 {
	c, err := r.Cookie(s.Cookie)
	if err != nil {
		return 0
	}
	raw, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err != nil || len(raw) != stickyID+stickyMAC {
		return 0
	}
	id := raw[:stickyID]
	if !hmac.Equal(s.sign(id), raw[stickyID:]) {
		return 0
	}
	return binary.BigEndian.Uint64(id)
}

func (s *Sticky) sign(id []byte) []byte {
	mac := hmac.New(sha256.New, s.Secret)
	mac.Write(id)
	return mac.Sum(nil)[:stickyMAC]
}

// value returns the signed cookie value for an upstream.
func (s *Sticky) value(upstream uint64) string {
	id := binary.BigEndian.AppendUint64(nil, upstream)
	return base64.RawURLEncoding.EncodeToString(append(id, s.sign(id)...))
}

// write pins the client to the upstream that answered, unless it already is.
func (s *Sticky) write(h http.Header, x *exchange) {
	if x.servedBy == nil || x.servedBy.ID() == x.choice.Sticky {
		return
	}
	c := http.Cookie{
		Name:     s.Cookie,
		Value:    s.value(x.servedBy.ID()),
		Path:     "/",
		HttpOnly: true,
		SameSite: s.SameSite,
		MaxAge:   int(s.TTL / time.Second),
		Secure:   x.https(),
	}
	if s.Secure != nil {
		c.Secure = *s.Secure
	}
	h.Add("Set-Cookie", c.String())
}

package proxy

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"time"

	"github.com/goodgate/goodgate/internal/wire/message"
)

// Sticky keeps a client on the upstream that served it first, by a cookie that
// a client can neither make nor read: it cannot choose its upstream, nor learn
// an address of the network behind goodgate. Affinity is a preference: when the
// upstream is not available the client moves to another and stays there.
type Sticky struct {
	Cookie   string
	Secret   []byte        // encrypts the cookie; empty = random, so cookies do not outlive the process
	TTL      time.Duration // of the cookie; 0 = until the browser closes
	Secure   *bool         // whether to mark it Secure; nil = when the client came by HTTPS
	SameSite http.SameSite

	block cipher.Block
}

// NewSticky returns s ready for use.
func NewSticky(s Sticky) *Sticky {
	if len(s.Secret) == 0 {
		s.Secret = make([]byte, 32)
		rand.Read(s.Secret)
	}
	key, err := hkdf.Key(sha256.New, s.Secret, nil, "goodgate sticky cookie", 32)
	if err == nil {
		s.block, err = aes.NewCipher(key)
	}
	if err != nil {
		panic("proxy: sticky: " + err.Error()) // of this length, there is a key
	}
	return &s
}

// The cookie is one block of AES: the upstream's ID, a hash of its address that
// anybody could try addresses for, and as many zero bytes, which a block that
// was not made with the key does not have.
const stickyID = 8

// read returns the ID of the upstream the client is pinned to, 0 without one
// or with one that goodgate did not make.
func (s *Sticky) read(r *Request) uint64 {
	v, _ := r.Cookie(s.Cookie)
	raw, err := base64.RawURLEncoding.Strict().DecodeString(v)
	if err != nil || len(raw) != aes.BlockSize {
		return 0
	}
	s.block.Decrypt(raw, raw)
	if binary.BigEndian.Uint64(raw[stickyID:]) != 0 {
		return 0
	}
	return binary.BigEndian.Uint64(raw)
}

// value returns the cookie's value for an upstream.
func (s *Sticky) value(upstream uint64) string {
	var raw [aes.BlockSize]byte
	binary.BigEndian.PutUint64(raw[:], upstream)
	s.block.Encrypt(raw[:], raw[:])
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

// write pins the client to the upstream that answered, unless it already is.
func (s *Sticky) write(h message.Editor, x *exchange) {
	if x.answer.from == nil || x.answer.from.ID() == x.delivery.choice.Sticky {
		return
	}
	c := http.Cookie{
		Name:     s.Cookie,
		Value:    s.value(x.answer.from.ID()),
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

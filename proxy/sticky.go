package proxy

import (
	"cmp"
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

// Sticky keeps a client on the upstream that served it first, with a cookie. Clients can
// neither read nor make such a cookie, so they cannot choose an upstream or learn its
// address. Stickiness is a preference: when the upstream is not available, the client
// moves to another one and stays there.
type Sticky struct {
	Cookie   string
	Secret   []byte        // encrypts the cookie; empty = random, so that cookies become invalid when the process ends
	TTL      time.Duration // lifetime of the cookie; 0 = until the browser closes
	Secure   *bool         // sets the Secure attribute; nil = if the client uses HTTPS
	SameSite http.SameSite
	Domain   string // the cookie is for this domain and all below it; empty = for the host of the request alone
	Path     string // the cookie is for this path and all below it; empty = /
	// Partitioned keeps the cookie apart for each site that embeds the application
	// (CHIPS). Browsers accept it only with Secure.
	Partitioned bool

	block cipher.Block
}

// NewSticky returns a copy of s that is ready for use.
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
		panic("proxy: sticky: " + err.Error()) // impossible: HKDF and AES accept this length
	}
	return &s
}

// The cookie is one AES block: the upstream's ID and zero bytes. The encryption hides the
// ID, which is a hash of the address, so that nobody can test addresses against it. The
// zero bytes prove that the block was made with the key.
const stickyID = 8

// read returns the ID of the client's upstream, 0 without a cookie that goodgate made.
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

// write sets the cookie for the upstream that answered, unless the client has it.
func (s *Sticky) write(h message.Editor, x *exchange) {
	if x.answer.from == nil || x.answer.from.ID() == x.delivery.choice.Sticky {
		return
	}
	c := http.Cookie{
		Name:     s.Cookie,
		Value:    s.value(x.answer.from.ID()),
		Domain:   s.Domain,
		Path:     cmp.Or(s.Path, "/"),
		HttpOnly: true,
		SameSite: s.SameSite,
		MaxAge:   int(s.TTL / time.Second),
		Secure:   x.https(),
	}
	if s.Secure != nil {
		c.Secure = *s.Secure
	}
	c.Partitioned = s.Partitioned && c.Secure
	h.Add("Set-Cookie", c.String())
}

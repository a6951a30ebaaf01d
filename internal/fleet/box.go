package fleet

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
)

// box seals the data in the engine: AES-256-GCM with a key derived from the fleet's
// secret (HKDF, RFC 5869). Data sealed for one place cannot be used in another.
type box struct {
	aead cipher.AEAD
	hash []byte // key of the hashes of names
}

var errSeal = errors.New("it was sealed with another secret, or changed")

func newBox(secret []byte) (*box, error) {
	keys, err := hkdf.Key(sha256.New, secret, nil, "goodgate fleet", 64)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(keys[:32])
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return &box{aead: aead, hash: keys[32:]}, nil
}

// seal seals text for a place.
func (b *box) seal(text []byte, place string) []byte {
	return b.aead.Seal(nil, nil, text, []byte(place))
}

// open returns the text that was sealed for a place.
func (b *box) open(sealed []byte, place string) ([]byte, error) {
	text, err := b.aead.Open(nil, nil, sealed, []byte(place))
	if err != nil {
		return nil, errSeal
	}
	return text, nil
}

// sum returns a keyed hash of a text. It is the same on all instances, and reveals
// nothing to readers of the engine. It allocates nothing for a text of up to 64 bytes.
func (b *box) sum(text []byte) uint64 {
	var room [128]byte
	in := append(room[:0], b.hash...)
	if len(text) > sumInPlace {
		inner := sha256.Sum256(text)
		in = append(append(in, 1), inner[:]...)
	} else {
		in = append(append(in, 0), text...)
	}
	out := sha256.Sum256(in)
	return binary.LittleEndian.Uint64(out[:8])
}

const sumInPlace = 64

// newID returns an identifier of 40 bits.
func newID() string { return rand.Text()[:8] }

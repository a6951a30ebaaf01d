//go:build !minimal

package access

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// Limits on the cost of one password check. A file with a more expensive hash is an
// error, because every guess would cost as much.
const (
	maxBcryptCost   = 14        // about a second
	maxArgonMemory  = 128 << 10 // KiB
	maxArgonWork    = 1 << 20   // KiB × passes
	maxArgonThreads = 16
)

// Below these, somebody who has the file guesses passwords quickly (OWASP, Password Storage
// Cheat Sheet).
const (
	minBcryptCost = 10
	minArgonWork  = 7168 * 5 // KiB × passes
)

// hash verifies a password.
type hash interface {
	matches(password string) bool
	weakness() string // what makes the hash cheap to crack; empty = nothing
}

// parseHash parses a hash in the form that htpasswd -B and argon2 write.
func parseHash(text string) (hash, error) {
	switch {
	case strings.HasPrefix(text, "$2a$"), strings.HasPrefix(text, "$2b$"), strings.HasPrefix(text, "$2y$"):
		cost, err := bcrypt.Cost([]byte(text))
		if err != nil || len(text) != 60 {
			return nil, errors.New("not a bcrypt hash: it is incomplete")
		}
		if cost > maxBcryptCost {
			return nil, fmt.Errorf("the bcrypt cost is %d, and at most %d is allowed: each guess would take seconds; create it anew with htpasswd -B", cost, maxBcryptCost)
		}
		return bcryptHash(text), nil
	case strings.HasPrefix(text, "$argon2"):
		return parseArgon(text)
	case strings.HasPrefix(text, "$apr1$"), strings.HasPrefix(text, "$1$"):
		return nil, errors.New("an MD5 hash, which attackers guess quickly: create it anew with htpasswd -B")
	case strings.HasPrefix(text, "{SHA}"), strings.HasPrefix(text, "{SSHA}"):
		return nil, errors.New("a SHA-1 hash, which attackers guess quickly: create it anew with htpasswd -B")
	}
	return nil, errors.New("not a bcrypt hash ($2y$) or argon2 hash ($argon2id$): write it with htpasswd -B")
}

type bcryptHash string

func (h bcryptHash) matches(password string) bool {
	return bcrypt.CompareHashAndPassword([]byte(h), []byte(password)) == nil
}

func (h bcryptHash) weakness() string {
	if cost, _ := bcrypt.Cost([]byte(h)); cost < minBcryptCost {
		return fmt.Sprintf("a bcrypt hash of cost %d is cheap to crack for somebody who has the file; at least %d is recommended: create the hash anew with htpasswd -B -C %[2]d", cost, minBcryptCost)
	}
	return ""
}

// argonHash is an Argon2 hash (RFC 9106).
type argonHash struct {
	id           bool // argon2id, else argon2i
	time, memory uint32
	threads      uint8
	salt, key    []byte
}

func parseArgon(text string) (hash, error) {
	parts := strings.Split(text, "$")
	if len(parts) != 6 || parts[1] != "argon2id" && parts[1] != "argon2i" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return nil, errors.New("not an argon2 hash of the form $argon2id$v=19$m=65536,t=3,p=1$SALT$HASH")
	}
	h := argonHash{id: parts[1] == "argon2id"}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &h.memory, &h.time, &h.threads); err != nil || h.memory < 8 || h.time < 1 || h.threads < 1 {
		return nil, fmt.Errorf("argon2 parameters %q: expected a text such as m=65536,t=3,p=1", parts[3])
	}
	if h.memory > maxArgonMemory || uint64(h.memory)*uint64(h.time) > maxArgonWork || h.threads > maxArgonThreads {
		return nil, fmt.Errorf("argon2 parameters %q: at most m=%d, m times t of %d and p=%d are allowed: each guess would cost that", parts[3], maxArgonMemory, maxArgonWork, maxArgonThreads)
	}
	var err, err2 error
	h.salt, err = base64.RawStdEncoding.DecodeString(parts[4])
	h.key, err2 = base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil || err2 != nil || len(h.salt) < 8 || len(h.key) < 16 || len(h.key) > 64 {
		return nil, errors.New("not an argon2 hash: salt or hash is not base64 of the right length")
	}
	return h, nil
}

func (h argonHash) matches(password string) bool {
	of := argon2.Key
	if h.id {
		of = argon2.IDKey
	}
	return subtle.ConstantTimeCompare(of([]byte(password), h.salt, h.time, h.memory, h.threads, uint32(len(h.key))), h.key) == 1
}

func (h argonHash) weakness() string {
	if uint64(h.memory)*uint64(h.time) < minArgonWork {
		return fmt.Sprintf("an Argon2 hash with m=%d,t=%d is cheap to crack for somebody who has the file; at least m=19456,t=2 is recommended", h.memory, h.time)
	}
	return ""
}

package dns01

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strings"
	"time"
)

const (
	headerLen = 12
	typeTSIG  = 250
	classANY  = 255
	fudge     = 300 // seconds by which the clocks may differ (RFC 8945 section 10)
)

// key signs messages by TSIG (RFC 8945).
type key struct {
	name      []byte // in wire format, in lower case
	algorithm []byte // in wire format
	hash      func() hash.Hash
	secret    []byte
}

// hashes are the algorithms by name (RFC 8945 section 6).
var hashes = map[string]func() hash.Hash{
	"hmac-sha224": sha256.New224, "hmac-sha256": sha256.New, "hmac-sha384": sha512.New384, "hmac-sha512": sha512.New,
}

func newKey(name, algorithm string, secret []byte) (*key, error) {
	k := &key{hash: hashes[algorithm], secret: secret}
	if k.hash == nil {
		return nil, fmt.Errorf("algorithm %q: expected hmac-sha224, hmac-sha256, hmac-sha384 or hmac-sha512", algorithm)
	}
	var err error
	if k.name, err = wireName(name); err != nil {
		return nil, err
	}
	k.algorithm, err = wireName(algorithm)
	return k, err
}

// wireName returns a name in wire format, in lower case and without compression.
func wireName(name string) (wire []byte, err error) {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 {
			return nil, fmt.Errorf("%q is not a DNS name", name)
		}
		wire = append(append(wire, byte(len(label))), label...)
	}
	if wire = append(wire, 0); len(wire) > 255 {
		return nil, fmt.Errorf("%q is longer than a DNS name may be", name)
	}
	return wire, nil
}

// sign appends the TSIG record to a message, and returns its MAC as well.
func (k *key) sign(message []byte, now time.Time) (signed, mac []byte) {
	times := signedTime(now)
	mac = k.mac(nil, message, times, 0, nil)
	signed = append(slices.Clone(message), k.name...)
	signed = binary.BigEndian.AppendUint16(signed, typeTSIG)
	signed = binary.BigEndian.AppendUint16(signed, classANY)
	signed = binary.BigEndian.AppendUint32(signed, 0) // TTL
	signed = binary.BigEndian.AppendUint16(signed, uint16(len(k.algorithm)+len(times)+2+len(mac)+6))
	signed = append(append(signed, k.algorithm...), times...)
	signed = append(binary.BigEndian.AppendUint16(signed, uint16(len(mac))), mac...)
	signed = append(signed, message[:2]...) // original ID
	signed = append(signed, 0, 0, 0, 0)     // error, length of other data
	binary.BigEndian.PutUint16(signed[10:], binary.BigEndian.Uint16(signed[10:])+1)
	return signed, mac
}

// signedTime returns the fields Time Signed and Fudge.
func signedTime(now time.Time) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(now.Unix()))[2:]
	return binary.BigEndian.AppendUint16(b, fudge)
}

// mac returns the MAC of a message without its TSIG record (RFC 8945 section 4.3).
// request is the MAC of the request that the message answers; nil = none.
func (k *key) mac(request, message, times []byte, code uint16, other []byte) []byte {
	h := hmac.New(k.hash, k.secret)
	if request != nil {
		h.Write(binary.BigEndian.AppendUint16(nil, uint16(len(request))))
		h.Write(request)
	}
	h.Write(message)
	h.Write(k.name)
	h.Write([]byte{0, classANY, 0, 0, 0, 0}) // class, TTL
	h.Write(k.algorithm)
	h.Write(times)
	h.Write(binary.BigEndian.AppendUint16(nil, code))
	h.Write(binary.BigEndian.AppendUint16(nil, uint16(len(other))))
	h.Write(other)
	return h.Sum(nil)
}

var (
	errMalformed = errors.New("the answer is malformed")
	errUnsigned  = errors.New("the answer is not signed with the key")
)

// tsigError is the error code of a TSIG record.
type tsigError uint16

// The codes of RFC 8945 section 5.2.
const (
	badSig  tsigError = 16
	badKey  tsigError = 17
	badTime tsigError = 18
)

func (e tsigError) Error() string {
	switch e {
	case badSig:
		return "BADSIG"
	case badKey:
		return "BADKEY"
	case badTime:
		return "BADTIME"
	}
	return fmt.Sprintf("TSIG error %d", uint16(e))
}

// verify checks the answer to a request with the given MAC. It returns a [tsigError] if
// the server refuses the request's signature.
func (k *key) verify(answer, request []byte, now time.Time) error {
	start, err := lastRecord(answer)
	if err != nil {
		return err
	}
	t, err := parseTSIG(answer, start)
	if err != nil {
		return err
	}
	if t.code != 0 {
		return tsigError(t.code)
	}
	message := slices.Clone(answer[:start])
	copy(message, t.id)
	binary.BigEndian.PutUint16(message[10:], binary.BigEndian.Uint16(message[10:])-1)
	if !hmac.Equal(t.mac, k.mac(request, message, t.times, t.code, t.other)) {
		return errUnsigned
	}
	at := time.Unix(int64(binary.BigEndian.Uint64(append([]byte{0, 0}, t.times...)[:8])), 0)
	if now.Sub(at).Abs() > time.Duration(binary.BigEndian.Uint16(t.times[6:]))*time.Second {
		return badTime
	}
	return nil
}

// tsig is the content of a TSIG record.
type tsig struct {
	times, mac, id, other []byte
	code                  uint16
}

func parseTSIG(m []byte, at int) (t tsig, err error) {
	if at, err = skipName(m, at); err != nil {
		return t, err
	}
	if len(m) < at+10 || binary.BigEndian.Uint16(m[at:]) != typeTSIG {
		return t, errUnsigned
	}
	if at, err = skipName(m, at+10); err != nil {
		return t, err
	}
	if len(m) < at+10 {
		return t, errMalformed
	}
	t.times = m[at : at+8]
	size := int(binary.BigEndian.Uint16(m[at+8:]))
	at += 10
	if len(m) < at+size+6 {
		return t, errMalformed
	}
	t.mac, t.id, t.code = m[at:at+size], m[at+size:at+size+2], binary.BigEndian.Uint16(m[at+size+2:])
	at += size + 4
	if n := int(binary.BigEndian.Uint16(m[at:])); len(m) == at+2+n {
		t.other = m[at+2:]
		return t, nil
	}
	return t, errMalformed
}

// lastRecord returns where the last record of a message begins, which must be an
// additional one.
func lastRecord(m []byte) (start int, err error) {
	if len(m) < headerLen {
		return 0, errMalformed
	}
	count := func(i int) int { return int(binary.BigEndian.Uint16(m[4+2*i:])) }
	if count(3) == 0 {
		return 0, errUnsigned
	}
	at := headerLen
	for range count(0) {
		if at, err = skipName(m, at); err != nil {
			return 0, err
		}
		at += 4
	}
	for range count(1) + count(2) + count(3) {
		start = at
		if at, err = skipName(m, at); err != nil {
			return 0, err
		}
		if len(m) < at+10 {
			return 0, errMalformed
		}
		at += 10 + int(binary.BigEndian.Uint16(m[at+8:]))
	}
	if at != len(m) {
		return 0, errMalformed
	}
	return start, nil
}

// skipName returns where a name ends.
func skipName(m []byte, at int) (int, error) {
	for at < len(m) {
		switch n := int(m[at]); {
		case n == 0:
			return at + 1, nil
		case n >= 0xc0: // a pointer
			return at + 2, nil
		default:
			at += 1 + n
		}
	}
	return 0, errMalformed
}

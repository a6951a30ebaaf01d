package proxy

import (
	"encoding/binary"
	"hash/maphash"
	"net/netip"
	"strings"

	"github.com/goodgate/goodgate/internal/vars"
	"github.com/goodgate/goodgate/internal/wire/message"
)

// keyParts are the values that a key of several parts consists of.
type keyParts []func(*subject) string

// newKeyParts returns the variables in texts; what stands between them is the same in
// every key. An address of IPv6 counts by its first v6 bits; 0 = all.
func newKeyParts(v6 int, texts []string) (parts keyParts) {
	for _, text := range texts {
		found, _ := vars.Parse(text)
		for _, p := range found {
			if p.Plain == "" && p.Since == vars.Key {
				parts = append(parts, keyValue(p, v6))
			}
		}
	}
	return parts
}

// keyValue is valueOf where two spellings of the same must not be two keys, by which a
// client would get past a limit.
func keyValue(p vars.Part, v6 int) func(*subject) string {
	switch p.Name {
	case "client_ip":
		return func(s *subject) string {
			if v6 > 0 {
				return addressText(clientOf(s.client, v6))
			}
			return addressText(s.client)
		}
	case "path":
		return func(s *subject) string { return s.request.URL.Path }
	case "host":
		return func(s *subject) string { return strings.ToLower(s.request.Host) }
	case "query:":
		return func(s *subject) string {
			for v := range message.QueryValues(s.request.URL.RawQuery, p.Parameter) {
				return v
			}
			return ""
		}
	}
	return valueOf(p).of
}

// append appends the key of a request to b. It stays empty when no part has a value. Each
// part begins with its length, so that no values are the same as others together.
func (k keyParts) append(b []byte, r *Request, client netip.Addr) []byte {
	s, empty := &subject{request: r, client: client}, len(b)
	if len(k) == 1 {
		return append(b, k[0](s)...)
	}
	some := false
	for _, of := range k {
		v := of(s)
		some = some || v != ""
		b = append(binary.AppendUvarint(b, uint64(len(v))), v...)
	}
	if !some {
		return b[:empty]
	}
	return b
}

// HashOf sends each value of the variables in texts to one upstream. A variable that a
// request does not have counts as empty.
func HashOf(texts ...string) HashOn {
	parts := newKeyParts(0, texts)
	return func(r *Request, client netip.Addr) string { return string(parts.append(nil, r, client)) }
}

// RateBy counts by the values of the variables in texts together; v6 is as in
// [RateByClient]. A variable that a request does not have counts as empty; without any of
// them the rate does not apply.
func RateBy(v6 int, texts ...string) RateKey {
	parts, seed := newKeyParts(v6, texts), maphash.MakeSeed()
	return func(r *Request, client netip.Addr) uint64 {
		var room [128]byte
		key := parts.append(room[:0], r, client)
		if len(key) == 0 {
			return 0
		}
		return max(maphash.Bytes(seed, key), 1)
	}
}

// By is as [RateBy].
func (h RateHash) By(v6 int, texts ...string) RateKey {
	parts := newKeyParts(v6, texts)
	return func(r *Request, client netip.Addr) uint64 {
		var room [128]byte
		key := parts.append(room[:0], r, client)
		if len(key) == 0 {
			return 0
		}
		return max(h(key), 1)
	}
}

package proxy

import (
	"encoding/binary"
	"hash/maphash"
	"net/netip"
	"strings"

	"github.com/goodgate/goodgate/internal/vars"
	"github.com/goodgate/goodgate/internal/wire/message"
)

// keyParts are the parts of a key of several values.
type keyParts []func(*subject) string

// newKeyParts returns the variables in texts. It ignores the plain text between them,
// which is the same in every key. An IPv6 address counts by its first v6 bits; 0 = all.
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

// keyValue is valueOf for keys. It normalizes values, so that a client cannot get past a
// limit with another spelling.
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
		return func(s *subject) string {
			if u := s.request.URL; odd(u) {
				path, _ := clean(u.Path)
				return path
			}
			return s.request.URL.Path
		}
	case "host":
		return func(s *subject) string {
			host := strings.ToLower(s.request.Host)
			if name, port, ok := strings.Cut(host, ".:"); ok {
				return name + ":" + port
			}
			return strings.TrimSuffix(host, ".")
		}
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

// append appends the key of a request to b. The key is empty when no part has a value.
// The length before each part keeps different values from having the same key.
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

// HashOf sends requests to the same upstream if the variables in texts have the same
// values. A variable without a value counts as empty.
func HashOf(texts ...string) HashOn {
	parts := newKeyParts(0, texts)
	return func(r *Request, client netip.Addr) string { return string(parts.append(nil, r, client)) }
}

// RateBy counts by the values of all variables in texts together. v6 is as in
// [RateByClient]. A variable without a value counts as empty. If no variable has a value,
// the rate does not apply.
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

// By is [RateBy] with this hash.
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

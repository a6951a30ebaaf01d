package proxy

import (
	"hash/maphash"
	"net/netip"
)

// RateKey returns what a rate counts by; 0 = nothing, and the rate does not
// apply.
type RateKey func(r *Request, client netip.Addr) uint64

// RateByClient counts by the client's address, of IPv6 by the first v6 bits: a
// customer has a whole /64 or more and may use a new address for each request.
func RateByClient(v6 int) RateKey {
	seed := maphash.MakeSeed()
	return func(_ *Request, client netip.Addr) uint64 {
		if client.Is6() {
			p, _ := client.Prefix(v6)
			client = p.Addr()
		}
		if !client.IsValid() {
			return 0
		}
		return max(maphash.Comparable(seed, client), 1)
	}
}

// RateByHeader counts by a header's value, such as an API key's.
func RateByHeader(name string) RateKey {
	seed := maphash.MakeSeed()
	return func(r *Request, _ netip.Addr) uint64 { return keyOf(seed, r.Field(name)) }
}

// RateByCookie counts by a cookie's value.
func RateByCookie(name string) RateKey {
	seed := maphash.MakeSeed()
	return func(r *Request, _ netip.Addr) uint64 {
		v, _ := r.Cookie(name)
		return keyOf(seed, v)
	}
}

func keyOf(seed maphash.Seed, value string) uint64 {
	if value == "" {
		return 0
	}
	return max(maphash.String(seed, value), 1)
}

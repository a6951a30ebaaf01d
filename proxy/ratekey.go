package proxy

import (
	"hash/maphash"
	"net/netip"
)

// RateKey returns the key under which a rate counts a request. 0 means that the rate does
// not apply to the request.
type RateKey func(r *Request, client netip.Addr) uint64

// RateByClient counts by the client's address, and for IPv6 by its first v6 bits. One
// customer has a whole /64 or more and may use a new address for each request.
func RateByClient(v6 int) RateKey {
	seed := maphash.MakeSeed()
	return func(_ *Request, client netip.Addr) uint64 {
		client = clientOf(client, v6)
		if !client.IsValid() {
			return 0
		}
		return max(maphash.Comparable(seed, client), 1)
	}
}

// clientOf returns the part of an address to count by.
func clientOf(client netip.Addr, v6 int) netip.Addr {
	if client.Is6() {
		p, _ := client.Prefix(v6)
		client = p.Addr()
	}
	return client
}

// RateByHeader counts by the value of a header, for example an API key. It does not apply
// to requests without a value.
func RateByHeader(name string) RateKey {
	seed := maphash.MakeSeed()
	return func(r *Request, _ netip.Addr) uint64 { return keyOf(seed, r.Field(name)) }
}

// RateByCookie counts by the value of a cookie. It does not apply to requests without a
// value.
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

// RateHash is a hash function for the keys of a rate that several processes share. All of
// them must use the same function: see [Rate.Share].
type RateHash func(text []byte) uint64

// Client is [RateByClient] with this hash.
func (h RateHash) Client(v6 int) RateKey {
	return func(_ *Request, client netip.Addr) uint64 {
		client = clientOf(client, v6)
		if !client.IsValid() {
			return 0
		}
		text := client.As16()
		return max(h(text[:]), 1)
	}
}

// Header is [RateByHeader] with this hash.
func (h RateHash) Header(name string) RateKey {
	return func(r *Request, _ netip.Addr) uint64 { return h.of(r.Field(name)) }
}

// Cookie is [RateByCookie] with this hash.
func (h RateHash) Cookie(name string) RateKey {
	return func(r *Request, _ netip.Addr) uint64 {
		v, _ := r.Cookie(name)
		return h.of(v)
	}
}

func (h RateHash) of(value string) uint64 {
	if value == "" {
		return 0
	}
	return max(h([]byte(value)), 1)
}

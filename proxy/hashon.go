package proxy

import (
	"net/netip"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/wire/message"
)

// HashOn returns the key of a request for the policy hash. An empty key means that any
// upstream will do.
type HashOn func(r *Request, client netip.Addr) string

// HashClientIP sends all requests from a client address to the same upstream.
func HashClientIP(_ *Request, client netip.Addr) string {
	if !client.IsValid() {
		return ""
	}
	return client.String()
}

// HashPath sends all requests for a path to the same upstream.
func HashPath(r *Request, _ netip.Addr) string { return r.URL.Path }

// HashURI sends all requests for a path with the same query to the same upstream.
func HashURI(r *Request, _ netip.Addr) string { return r.URL.RequestURI() }

// HashQuery sends all requests with the same value of a query parameter to the same
// upstream.
func HashQuery(name string) HashOn {
	return func(r *Request, _ netip.Addr) string {
		for v := range message.QueryValues(r.URL.RawQuery, name) {
			return v
		}
		return ""
	}
}

// HashHeader sends all requests with the same value of a header to the same upstream.
func HashHeader(name string) HashOn {
	return func(r *Request, _ netip.Addr) string { return r.Field(name) }
}

// HashCookie sends all requests with the same value of a cookie to the same upstream.
func HashCookie(name string) HashOn {
	return func(r *Request, _ netip.Addr) string {
		v, _ := r.Cookie(name)
		return v
	}
}

// hash returns the key's hash, 0 for an empty key.
func (on HashOn) hash(r *Request, client netip.Addr) uint64 {
	key := on(r, client)
	if key == "" {
		return 0
	}
	return max(balancer.Hash(key), 1)
}

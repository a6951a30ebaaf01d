package proxy

import (
	"net/netip"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/wire/message"
)

// HashOn returns the key of a request for the policy hash. An empty key means that any
// upstream will do.
type HashOn func(r *Request, client netip.Addr) string

// HashClientIP sends each client address to one upstream.
func HashClientIP(_ *Request, client netip.Addr) string {
	if !client.IsValid() {
		return ""
	}
	return client.String()
}

// HashPath sends each path to one upstream.
func HashPath(r *Request, _ netip.Addr) string { return r.URL.Path }

// HashURI sends each path with its query to one upstream.
func HashURI(r *Request, _ netip.Addr) string { return r.URL.RequestURI() }

// HashQuery sends each value of a query parameter to one upstream.
func HashQuery(name string) HashOn {
	return func(r *Request, _ netip.Addr) string {
		for v := range message.QueryValues(r.URL.RawQuery, name) {
			return v
		}
		return ""
	}
}

// HashHeader sends each value of a header to one upstream.
func HashHeader(name string) HashOn {
	return func(r *Request, _ netip.Addr) string { return r.Field(name) }
}

// HashCookie sends each value of a cookie to one upstream.
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

package discovery

import (
	"context"
	"net/netip"
	"time"
)

// Answer is the result of one lookup of a host name.
type Answer struct {
	Addrs []netip.Addr  // sorted
	TTL   time.Duration // the smallest TTL of the records; -1 for an answer not from DNS, such as /etc/hosts
	// Missing is the error for a family, A or AAAA, without an answer of the name
	// servers; nil = both have one.
	Missing error
}

// Ask looks up a host name once.
func (r Resolver) Ask(ctx context.Context, host string) (Answer, error) {
	r, err := r.withDefaults()
	if err != nil {
		return Answer{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	s := r.newSession(nil)
	addrs, err := s.addrs(ctx, host)
	if len(addrs) == 0 {
		return Answer{}, err
	}
	a := Answer{Addrs: addrs, TTL: -1, Missing: err}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.heard {
		a.TTL = s.ttl
	}
	return a, nil
}

package discovery

import (
	"context"
	"net/netip"
	"time"
)

// Answer is what one look-up of a host name brings.
type Answer struct {
	Addrs []netip.Addr  // sorted
	TTL   time.Duration // the smallest of the records'; -1 when it did not come from DNS, as with /etc/hosts
	// Missing says for which family, A or AAAA, the name servers gave no answer; nil =
	// they did for both.
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

package discovery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// hostsTTL is how long an answer without a TTL holds: one from /etc/hosts.
const hostsTTL = 30 * time.Second

// maxFound is how many targets one look-up may bring: each is probed, and has
// connections and metrics.
const maxFound = 10_000

// Resolver says how names are looked up. The zero value is the system's name
// servers with the defaults.
type Resolver struct {
	Server string // "host:port" of the name server; "" means those of the system
	Family string // "ip4" or "ip6" for addresses of one kind; "" means both
	// Pair takes a name's only IPv4 and its only IPv6 address for one host, and so for
	// one target (RFC 8305): with more it is not known which belong together.
	Pair    bool
	Timeout time.Duration // for one lookup; 0 means 2 s
	MinTTL  time.Duration // an answer holds at least this long; 0 means 1 s
	MaxTTL  time.Duration // an answer holds at most this long; 0 means 5 min
}

// withDefaults returns r with its zero values replaced, or what is wrong with it.
func (r Resolver) withDefaults() (Resolver, error) {
	r.Family = cmp.Or(r.Family, "ip")
	r.Timeout = cmp.Or(r.Timeout, 2*time.Second)
	r.MinTTL = cmp.Or(r.MinTTL, time.Second)
	r.MaxTTL = cmp.Or(r.MaxTTL, 5*time.Minute)
	if r.Timeout < 0 || r.MinTTL < 0 || r.MaxTTL < r.MinTTL {
		return r, fmt.Errorf("dns settings: timeout %v, min_ttl %v, max_ttl %v: none may be negative, nor min_ttl above max_ttl",
			r.Timeout, r.MinTTL, r.MaxTTL)
	}
	if !slices.Contains([]string{"ip", "ip4", "ip6"}, r.Family) {
		return r, fmt.Errorf("dns settings: family %q is none of ip, ip4, ip6", r.Family)
	}
	if _, _, err := net.SplitHostPort(r.Server); r.Server != "" && err != nil {
		return r, fmt.Errorf("dns settings: resolver %q: %w", r.Server, err)
	}
	return r, nil
}

// session is one round of questions. It leaves all of resolving (hosts file,
// search domains, retries, TCP) to the net package, and reads along to learn
// what net does not tell.
type session struct {
	options Resolver
	known   addressBook // what the rounds before this have found
	end     time.Time   // no name server is asked after this

	mu    sync.Mutex // mu protects the fields below.
	found addressBook
	ttl   time.Duration // the smallest of the answers
	heard bool          // ttl has been set
}

// addressBook has the addresses of hosts. A host that could not be looked up in a
// round, or in one family only, keeps what is known.
type addressBook map[string][]netip.Addr

// newSession returns a round of questions that knows what rounds before it have
// found. It leaves a tenth of the timeout: the net package gives back nothing at
// all, not even one family's answer, when the whole of it is used up.
func (r Resolver) newSession(known addressBook) *session {
	return &session{options: r, known: known, end: time.Now().Add(r.Timeout - r.Timeout/10), found: make(addressBook)}
}

// addrs returns the addresses of host, sorted, so that the order in which a name
// server rotates them is no change. Addresses that are literals ask nobody.
//
// An error may come with addresses. When the name servers answer for one family
// only, A or AAAA, that answer counts (RFC 8305, section 3), and the addresses of
// the other family are those that are known. A [Partial] says so.
func (s *session) addrs(ctx context.Context, host string) ([]netip.Addr, error) {
	q := newQuestions(s)
	all, err := q.resolver(false).LookupNetIP(ctx, s.options.Family, host)
	failed := q.failures()
	switch {
	case failed.before != nil:
		// The net package went on to the next search domain. There it may have found
		// another host of the same name.
		return s.keep(host, failed.before)
	case isNotFound(err) && failed.last != nil:
		return s.keep(host, failed.last) // there may be addresses of that family
	case err != nil:
		return s.keep(host, q.name(err))
	}
	for i := range all {
		all[i] = all[i].Unmap()
	}
	if failed.last != nil {
		for _, a := range s.known[host] {
			if a.Is4() && failed.v4 || a.Is6() && failed.v6 {
				all = append(all, a)
			}
		}
		err = &Partial{failed.last}
	}
	slices.SortFunc(all, netip.Addr.Compare)
	usable := slices.DeleteFunc(slices.Compact(slices.Clone(all)), isNobodys)
	if len(usable) == 0 && len(all) > 0 {
		return nil, fmt.Errorf("%s has the address %v only, which no upstream can have", host, all[0])
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.found[host] = usable
	return usable, err
}

// keep has what is known of a host that could not be looked up stay known.
func (s *session) keep(host string, err error) ([]netip.Addr, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.known[host]; len(known) > 0 && !isNotFound(err) {
		s.found[host] = known
	}
	return nil, err
}

// isNotFound reports whether a name server has said that there is no such name, or
// that it has no such records.
func isNotFound(err error) bool {
	e, ok := errors.AsType[*net.DNSError](err)
	return ok && e.IsNotFound
}

// Partial is an error that came with addresses: for one family, A or AAAA, the name
// servers gave no answer.
type Partial struct{ Err error }

func (p *Partial) Error() string { return p.Err.Error() }
func (p *Partial) Unwrap() error { return p.Err }

// isNobodys reports whether no host has an address. 0.0.0.0 and :: are what many
// name servers answer for names that they block; connecting there leads to this
// machine.
func isNobodys(a netip.Addr) bool {
	return a.IsUnspecified() || a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// validity is how long the answers of this session hold, not yet clamped.
func (s *session) validity() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.heard {
		return hostsTTL
	}
	return s.ttl
}

func (s *session) hear(ttl time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.heard || ttl < s.ttl {
		s.ttl, s.heard = ttl, true
	}
}

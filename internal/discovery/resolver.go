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

// hostsTTL is the validity of an answer without a TTL, from /etc/hosts.
const hostsTTL = 30 * time.Second

// maxFound bounds the targets of one lookup, because each of them is probed, and has
// connections and metrics.
const maxFound = 10_000

// Resolver configures how to look up names. The zero value uses the system's name
// servers and the defaults.
type Resolver struct {
	Server string // "host:port" of the name server; "" = the system's
	Family string // "ip4" or "ip6" for addresses of one family; "" = both
	// Pair treats a name's only IPv4 and its only IPv6 address as one host, and
	// therefore as one target (RFC 8305). With more addresses it is unknown which of
	// them belong together.
	Pair    bool
	Timeout time.Duration // timeout of one lookup; 0 = 2 s
	MinTTL  time.Duration // shortest validity of an answer; 0 = 1 s
	MaxTTL  time.Duration // longest validity of an answer; 0 = 5 min
}

// withDefaults returns r with defaults in place of zero values, or an error for invalid
// values.
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
		return r, fmt.Errorf("dns settings: family %q must be ip, ip4 or ip6", r.Family)
	}
	if _, _, err := net.SplitHostPort(r.Server); r.Server != "" && err != nil {
		return r, fmt.Errorf("dns settings: resolver %q: %w", r.Server, err)
	}
	return r, nil
}

// session is one round of queries. The net package does the resolving (hosts file,
// search domains, retries, TCP). The session reads the messages to learn the facts that
// net does not return.
type session struct {
	options Resolver
	known   addressBook // the results of earlier rounds
	end     time.Time   // no queries after this time

	mu    sync.Mutex // mu protects the fields below.
	found addressBook
	ttl   time.Duration // the smallest TTL of the answers
	heard bool          // ttl has been set
}

// addressBook has the addresses of hosts. A host whose lookup failed in a round,
// completely or for one family, keeps its known addresses.
type addressBook map[string][]netip.Addr

// newSession returns a round of queries with the results of earlier ones. It reserves a
// tenth of the timeout: when all of it is used, the net package returns nothing, not
// even one family's answer.
func (r Resolver) newSession(known addressBook) *session {
	return &session{options: r, known: known, end: time.Now().Add(r.Timeout - r.Timeout/10), found: make(addressBook)}
}

// addrs returns the addresses of host. They are sorted, so that a name server's
// rotation is no change. An address needs no query.
//
// An error may come with addresses. If the name servers answer only for one family, A
// or AAAA, that answer counts (RFC 8305, section 3), and the other family keeps its
// known addresses. The error is then a [Partial].
func (s *session) addrs(ctx context.Context, host string) ([]netip.Addr, error) {
	q := newQuestions(s)
	all, err := q.resolver(false).LookupNetIP(ctx, s.options.Family, host)
	failed := q.failures()
	switch {
	case failed.before != nil:
		// The net package has continued with the next search domain. There it may have
		// found a different host with the same name.
		return s.keep(host, failed.before)
	case isNotFound(err) && failed.last != nil:
		return s.keep(host, failed.last) // there may be known addresses of that family
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

// keep returns the known addresses of a host whose lookup failed.
func (s *session) keep(host string, err error) ([]netip.Addr, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.known[host]; len(known) > 0 && !isNotFound(err) {
		s.found[host] = known
	}
	return nil, err
}

// isNotFound reports whether a name server has answered that the name does not exist,
// or has no such records.
func isNotFound(err error) bool {
	e, ok := errors.AsType[*net.DNSError](err)
	return ok && e.IsNotFound
}

// Partial is an error that comes with addresses: the name servers gave no answer for
// one family, A or AAAA.
type Partial struct{ Err error }

func (p *Partial) Error() string { return p.Err.Error() }
func (p *Partial) Unwrap() error { return p.Err }

// isNobodys reports whether no host can have an address. Many name servers answer with
// 0.0.0.0 and :: for blocked names. A connection to them leads to this machine.
func isNobodys(a netip.Addr) bool {
	return a.IsUnspecified() || a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// validity returns the validity of this session's answers, before the limits apply.
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

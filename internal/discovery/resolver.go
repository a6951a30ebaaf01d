package discovery

import (
	"cmp"
	"context"
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
	Server  string        // "host:port" of the name server; "" means those of the system
	Family  string        // "ip4" or "ip6" for addresses of one kind; "" means both
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
// what net does not tell: the smallest TTL of the answers.
type session struct {
	options Resolver
	net     *net.Resolver

	mu    sync.Mutex // mu protects the fields below.
	ttl   time.Duration
	heard bool // ttl has been set
}

func (r Resolver) newSession() *session {
	s := &session{options: r}
	// StrictErrors: when only the A or only the AAAA records can be had, the answer
	// would lack addresses that exist. The last good set is better.
	s.net = &net.Resolver{PreferGo: true, StrictErrors: true, Dial: s.dial}
	return s
}

// addrs returns the addresses of host, sorted, so that the order in which a name
// server rotates them is no change. Addresses that are literals ask nobody.
func (s *session) addrs(ctx context.Context, host string) ([]netip.Addr, error) {
	addrs, err := s.net.LookupNetIP(ctx, s.options.Family, host)
	if err != nil {
		return nil, err
	}
	for i := range addrs {
		addrs[i] = addrs[i].Unmap()
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	usable := slices.DeleteFunc(slices.Compact(slices.Clone(addrs)), isNobodys)
	if len(usable) == 0 && len(addrs) > 0 {
		return nil, fmt.Errorf("%s has the address %v only, which no upstream can have", host, addrs[0])
	}
	return usable, nil
}

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

// dial connects the net package to a name server. One try gets a third of the
// lookup's timeout: net's own limit, 5 s, would let one dead server use it up.
func (s *session) dial(ctx context.Context, network, server string) (net.Conn, error) {
	try := s.options.Timeout / 3
	d := net.Dialer{Timeout: try}
	conn, err := d.DialContext(ctx, network, cmp.Or(s.options.Server, server))
	if err != nil {
		return nil, err
	}
	limit := time.Now().Add(try)
	if c, ok := conn.(*net.UDPConn); ok {
		return &packetConn{UDPConn: c, session: s, limit: limit}, nil
	}
	return &streamConn{Conn: conn, session: s, limit: limit}, nil
}

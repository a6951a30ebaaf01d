package admin

import (
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/similar"
)

// spelled is an upstream in an operator's words, copied from a file, a log or a URL:
// http://127.0.0.1:3000/, [::1]:3000, app/127.0.0.1:3000, unix:/run/a.sock, or the host
// name in the file.
type spelled struct {
	pool, host, port string
	socket           string // path of a Unix socket; empty = host and port
}

// inPool matches an upstream behind the name of its pool. No address has this form.
var inPool = regexp.MustCompile(`^([a-z0-9_-]+)/+([^/].*)$`)

// spell parses an operator's text. A text that cannot be an upstream matches none.
func spell(text string) spelled {
	var s spelled
	text = strings.TrimSpace(text)
	if m := inPool.FindStringSubmatch(text); m != nil {
		s.pool, text = m[1], m[2]
	}
	scheme, rest, found := strings.Cut(text, "://")
	if found {
		text = rest
	}
	scheme = strings.ToLower(scheme)
	if found && scheme == "unix" {
		s.socket = text
		return s
	}
	if len(text) > 5 && strings.EqualFold(text[:5], "unix:") { // nginx writes http://unix:/run/a.sock:/
		s.socket = strings.TrimSuffix(strings.TrimRight(text[5:], "/"), ":")
		return s
	}
	text = strings.TrimRight(text, "/")
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		host, port = strings.Trim(text, "[]"), map[string]string{"http": "80", "https": "443"}[scheme]
	}
	s.host, s.port = sameHost(host), port
	return s
}

// sameHost returns the canonical spelling of a host.
func sameHost(host string) string {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap().String()
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// means reports whether the text means an upstream. A name means every upstream found
// under it. An address needs its port.
func (s spelled) means(u *balancer.Upstream) bool {
	if path, ok := strings.CutPrefix(u.Addr(), "unix:"); ok {
		return path == s.socket
	}
	host, port, err := net.SplitHostPort(u.Addr())
	if err != nil || s.host == "" || s.socket != "" || s.port != "" && s.port != port {
		return false
	}
	named := u.Name() != "" && sameHost(u.Name()) == s.host
	if _, err := netip.ParseAddr(host); err != nil { // a file of upstreams has names
		named = named || sameHost(host) == s.host
	}
	return named || s.port != "" && sameHost(host) == s.host
}

// refusal is the answer to an order that cannot be carried out.
type refusal struct {
	status int
	problem
}

// find returns the upstreams that an operator means, in one pool, or in all if pool is
// empty.
func (s *Server) find(pool, upstream string) ([]*balancer.Upstream, *refusal) {
	missing := func(format string, args ...any) *refusal {
		return &refusal{404, problem{Error: fmt.Sprintf(format, args...)}}
	}
	what := spell(upstream)
	switch {
	case upstream == "":
		return nil, missing("upstream is missing: set it to an address or a host name")
	case pool == "":
		pool = what.pool
	case what.pool != "" && what.pool != pool:
		return nil, missing("%s belongs to pool %s, not to pool %s", upstream, what.pool, pool)
	}
	var found []*balancer.Upstream
	var pools, all []string
	for _, p := range s.opts.Control.Pools() {
		pools = append(pools, p.Name())
		if pool != "" && pool != p.Name() {
			continue
		}
		members := p.Members()
		for i := range members {
			u := members[i].Upstream
			all = append(all, p.Name()+"/"+u.Addr())
			if what.means(u) {
				found = append(found, u)
			}
		}
	}
	switch {
	case len(found) > 0:
		return found, nil
	case pool != "" && !slices.Contains(pools, pool):
		return nil, missing("%s", NoPool(pool, pools))
	case len(all) == 0 && pool != "":
		return nil, missing("there is no upstream %s: pool %s has none", upstream, pool)
	case len(all) == 0:
		return nil, missing("there is no upstream %s: no upstream is known", upstream)
	}
	return nil, missing("there is no upstream %s%s %s", upstream, meant(what.nearest(all)), existing("upstream", all))
}

// NoPool says that a pool does not exist, and lists the pools.
func NoPool(name string, pools []string) string {
	return fmt.Sprintf("there is no pool %q%s %s", name, meant(similar.Nearest(name, pools)), existing("pool", pools))
}

func (s *Server) noPool(name string) string {
	var pools []string
	for _, p := range s.opts.Control.Pools() {
		pools = append(pools, p.Name())
	}
	return NoPool(name, pools)
}

func meant(near string) string {
	if near == "" {
		return "."
	}
	return ": did you mean " + near + "?"
}

// nearest returns the pool/address of the upstream that the operator may mean: the only
// one with the same port, otherwise one with a similar spelling.
func (s spelled) nearest(all []string) string {
	var same []string
	for _, a := range all {
		if s.port != "" && strings.HasSuffix(a, ":"+s.port) {
			same = append(same, a)
		}
	}
	if len(same) == 1 {
		return same[0]
	}
	word := net.JoinHostPort(s.host, s.port)
	if s.socket != "" {
		word = "unix:" + s.socket
	}
	addresses := make([]string, len(all))
	for i, a := range all {
		_, addresses[i], _ = strings.Cut(a, "/")
	}
	if i := slices.Index(addresses, similar.Nearest(word, addresses)); i >= 0 {
		return all[i]
	}
	return ""
}

// listed joins names, as many as a reader takes in.
func listed(names []string) string {
	const most = 20
	if more := len(names) - most; more > 0 {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(names, ", ")
}

// existing lists the names of all things of a kind.
func existing(kind string, names []string) string {
	if len(names) == 1 {
		return "The only " + kind + " is " + names[0]
	}
	return "The " + kind + "s are " + listed(names)
}

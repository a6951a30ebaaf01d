package access

import (
	"fmt"
	"net/netip"
	"slices"
)

// Networks say which addresses are let in: the narrowest network that an address is in
// decides. An address in none is let in unless there are allowed networks. It is
// immutable, and nil lets in all.
type Networks struct {
	rules map[netip.Prefix]bool // masked; true = allowed
	bits  [2][]int              // lengths in rules, longest first, of IPv4 and IPv6
	other bool                  // what becomes of an address in no network
}

// NewNetworks returns nil without networks. A network that is both allowed and denied
// is an error.
func NewNetworks(allow, deny []netip.Prefix) (*Networks, error) {
	if len(allow)+len(deny) == 0 {
		return nil, nil
	}
	n := &Networks{rules: map[netip.Prefix]bool{}, other: len(allow) == 0}
	for _, p := range allow {
		n.add(p, true)
	}
	for _, p := range deny {
		if n.rules[p.Masked()] {
			return nil, fmt.Errorf("%s is both allowed and denied", p.Masked())
		}
		n.add(p, false)
	}
	for i := range n.bits {
		slices.SortFunc(n.bits[i], func(a, b int) int { return b - a })
	}
	return n, nil
}

func (n *Networks) add(p netip.Prefix, allowed bool) {
	p = p.Masked()
	n.rules[p] = allowed
	if i := family(p.Addr()); !slices.Contains(n.bits[i], p.Bits()) {
		n.bits[i] = append(n.bits[i], p.Bits())
	}
}

func family(a netip.Addr) int {
	if a.Is4() {
		return 0
	}
	return 1
}

// Allows reports whether an address, which is not IPv4 in IPv6 and has no zone, is let in.
// The zero address, of a client that has none, is in no network.
func (n *Networks) Allows(a netip.Addr) bool {
	if n == nil {
		return true
	}
	if a.IsValid() {
		for _, bits := range n.bits[family(a)] {
			p, _ := a.Prefix(bits)
			if allowed, ok := n.rules[p]; ok {
				return allowed
			}
		}
	}
	return n.other
}

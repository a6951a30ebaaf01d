package access

import (
	"fmt"
	"net/netip"
	"slices"
)

// Networks decides which client addresses are allowed. The narrowest network with the
// address decides. An address outside all networks is allowed only if no network is
// explicitly allowed. A Networks is immutable. A nil one allows every address.
type Networks struct {
	rules map[netip.Prefix]bool // by masked prefix; true = allowed
	bits  [2][]int              // prefix lengths in rules, longest first, for IPv4 and IPv6
	other bool                  // whether an address outside all networks is allowed
}

// NewNetworks returns nil if both lists are empty. It returns an error for a network in
// both lists.
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

// Allows reports whether an address is allowed. The address must have no zone and must not
// be IPv4 in IPv6. The zero address, of a client without one, is outside all networks.
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

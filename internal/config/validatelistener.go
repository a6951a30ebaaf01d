package config

import (
	"cmp"
	"slices"
	"strings"
)

// ListenerAddress returns the address of the listener that a condition means, by name or by address; ok is false if
// there is none. Conditions compare addresses, because a reload never moves an address to another socket.
func (c *Config) ListenerAddress(ref string) (address string, ok bool) {
	for _, l := range c.Listeners {
		if ref != "" && l.Name == ref {
			return l.Address, true
		}
	}
	return ref, slices.ContainsFunc(c.Listeners, func(l Listener) bool { return ref != "" && l.Address == ref })
}

// listenerNames reports duplicate names of listeners.
func (v *validator) listenerNames() {
	for i, l := range v.config.Listeners {
		first := slices.IndexFunc(v.config.Listeners, func(o Listener) bool { return o.Name == l.Name })
		if l.Name != "" && first < i {
			v.errorf(index("listeners", i)+".name", "found %q: %s has this name already", l.Name, index("listeners", first))
		}
	}
}

// matchListeners reports conditions on unknown listeners.
func (v *validator) matchListeners(path string, m Conditions) {
	if !slices.ContainsFunc(v.config.Listeners, func(l Listener) bool { return l.Address != "" }) {
		return // reported already
	}
	unknown := slices.ContainsFunc(v.config.Listeners, func(l Listener) bool { return l.Address == "" })
	for i, ref := range m.Listener {
		var known []string
		times := 0
		address, ok := v.config.ListenerAddress(ref)
		for _, l := range v.config.Listeners {
			known = append(known, cmp.Or(l.Name, l.Address))
			if l.Address == address {
				times++
			}
		}
		switch {
		case ref == "" || !ok && unknown: // reported already
		case !ok:
			v.errorf(index(path, i), "found %q: no such listener%s; defined: %s", ref, didYouMean(ref, known), strings.Join(known, ", "))
		case times > 1:
			v.errorf(index(path, i), "found %q: %d listeners have the address %s: give each its own port", ref, times, address)
		}
	}
}

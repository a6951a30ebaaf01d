package config

import (
	"cmp"
	"slices"
	"strings"
)

// ID is what a listener's requests are known by to the conditions of routes: its name, else its address.
func (l Listener) ID() string { return cmp.Or(l.Name, l.Address) }

// ListenerID returns the ID of the listener that a condition means, by name or by address; ok is false when there is
// none.
func (c *Config) ListenerID(ref string) (id string, ok bool) {
	for _, by := range []func(Listener) string{func(l Listener) string { return l.Name }, func(l Listener) string { return l.Address }} {
		if i := slices.IndexFunc(c.Listeners, func(l Listener) bool { return by(l) == ref }); i >= 0 {
			return c.Listeners[i].ID(), true
		}
	}
	return "", false
}

// listenerNames looks for names that two listeners have.
func (v *validator) listenerNames() {
	for i, l := range v.config.Listeners {
		first := slices.IndexFunc(v.config.Listeners, func(o Listener) bool { return o.Name == l.Name })
		if l.Name != "" && first < i {
			v.errorf(index("listeners", i)+".name", "found %q: %s has this name", l.Name, index("listeners", first))
		}
	}
}

// matchListeners looks for conditions on listeners that are not there.
func (v *validator) matchListeners(path string, m Match) {
	for i, ref := range m.Listener {
		if _, ok := v.config.ListenerID(ref); ok || ref == "" { // what is none is said already
			continue
		}
		var known []string
		for _, l := range v.config.Listeners {
			known = append(known, l.ID())
		}
		v.errorf(index(path, i), "found %q: no such listener%s; defined: %s", ref, didYouMean(ref, known), strings.Join(known, ", "))
	}
}

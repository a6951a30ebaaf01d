package config

import (
	"fmt"
	"maps"
	"math"
	"net/netip"
	"slices"
	"strings"
)

// everybody warns of trusted networks that contain at least half of the public addresses: the clients are among them.
// what says what the clients can do then.
func (a *advisor) everybody(path string, networks []netip.Prefix, what string) {
	var parts, names []string
	for _, public := range []struct{ family, network string }{{"IPv4", "0.0.0.0/0"}, {"IPv6", "2000::/3"}} {
		share, within := shareOf(netip.MustParsePrefix(public.network), networks)
		switch {
		case share < 0.5:
			continue
		case share == 1:
			parts = append(parts, "all public "+public.family+" addresses")
		default:
			parts = append(parts, "at least half of the public "+public.family+" addresses")
		}
		const most = 3
		for _, p := range within[:min(most, len(within))] {
			names = append(names, p.String())
		}
		if more := len(within) - most; more > 0 {
			names = append(names, fmt.Sprintf("%d more", more))
		}
	}
	if len(parts) > 0 {
		a.warnf(path, "contains %s (%s): any client there can %s; list only the networks of the proxies in front of goodgate",
			strings.Join(parts, " and "), strings.Join(names, ", "), what)
	}
}

// shareOf returns the part of a network that a list covers, from 0 to 1, and the entries that cover it.
func shareOf(all netip.Prefix, list []netip.Prefix) (share float64, within []netip.Prefix) {
	for bits := range all.Addr().BitLen() + 1 { // wide ones first, as they contain others
		for _, p := range list {
			if p.Bits() == bits && p.Overlaps(all) && !slices.ContainsFunc(within, p.Overlaps) {
				share += math.Ldexp(1, min(all.Bits()-bits, 0))
				within = append(within, p)
			}
		}
	}
	return share, within
}

// dropped warns of decisions by a header that goodgate removes from every request.
func (a *advisor) dropped() {
	for i, l := range a.config.Listeners {
		a.droppedRates(index("listeners", i), l.Limits)
	}
	for i, r := range a.config.Routes {
		path := index("routes", i)
		a.droppedRates(path, r.Limits)
		a.identityKeys(path, r)
		for _, m := range r.Match.parts() {
			at := path + ".match" + m.at
			for _, name := range slices.Sorted(maps.Keys(m.Headers)) {
				a.arrives(at+".headers", name)
			}
			for _, name := range slices.Sorted(maps.Keys(m.HeaderPrefix)) {
				a.arrives(at+".header_prefix", name)
			}
			for _, name := range slices.Sorted(maps.Keys(m.HeaderRegexp)) {
				a.arrives(at+".header_regexp", name)
			}
			for _, name := range m.HeaderAbsent {
				a.arrives(at+".header_absent", name)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(a.config.Pools)) {
		path, p := "pools."+name, a.config.Pools[name]
		a.droppedRates(path, p.Limits)
		if p.Policy == "hash" {
			for _, header := range KeyHeaders(p.Hash.On) {
				a.arrives(path+".hash.on", header)
			}
		}
	}
}

func (a *advisor) droppedRates(path string, l Limits) {
	for i, r := range l.Rates {
		for _, header := range KeyHeaders(r.On) {
			a.arrives(index(path+".limits.rates", i)+".on", header)
		}
	}
}

// identityKeys warns of keys of a route with a header that only a later check sets.
func (a *advisor) identityKeys(path string, r Route) {
	var set []string
	if f := r.Access.Forward; f != nil {
		set = append(set, f.Copy...)
	}
	if b := r.Access.Basic; b != nil && b.UserHeader != "" {
		set = append(set, b.UserHeader)
	}
	keys := func(at string, on []string) {
		for _, name := range KeyHeaders(on) {
			if !strings.EqualFold(name, "Authorization") && slices.ContainsFunc(set, func(s string) bool { return strings.EqualFold(s, name) }) {
				a.warnf(at, "%s has no value yet: goodgate sets it later, when it checks access", name)
			}
		}
	}
	for i, rate := range r.Limits.Rates {
		keys(index(path+".limits.rates", i)+".on", rate.On)
	}
	if r.Split != nil {
		keys(path+".split.by", r.Split.By)
	}
}

// arrives warns if a header never arrives.
func (a *advisor) arrives(path, name string) {
	in := func(list []string) bool {
		return slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, name) })
	}
	isUnix := func(l Listener) bool { network, _ := l.Network(); return network != "tcp" }
	const prefix = "X-Forwarded-"
	switch claim := len(name) > len(prefix) && strings.EqualFold(name[:len(prefix)], prefix); {
	case in(a.config.TrustedHeaders):
		if len(a.config.TrustedProxies) == 0 && !slices.ContainsFunc(a.config.Listeners, isUnix) {
			a.warnf(path, "%s never arrives: goodgate accepts it only from trusted_proxies, and there are none; add the proxies that set it", name)
		}
	case claim || in([]string{"Forwarded", "X-Real-Ip", "X-Request-Id", "Goodgate-Drain"}) || in(a.config.DropHeaders):
		a.warnf(path, "%s never arrives: goodgate drops it from every request; if the proxies in front set it, add it to trusted_headers", name)
	}
}

package config

import (
	"net"
	"reflect"
	"slices"
	"strings"
)

// ChecksFrom returns the name of the pool whose health checks count for a pool: its own
// name, unless it has health.from.
func (c *Config) ChecksFrom(pool string) string {
	for range c.Pools { // a longer chain is a cycle, which validation refuses
		from := c.Pools[pool].Health.From
		if from == "" {
			break
		}
		pool = from
	}
	return pool
}

// borrowedChecks applies health.from of a pool. A default of all pools does not apply to
// the pool that it names, and not to pools with checks of their own. What is left are the
// settings of the check of an upstream that the other pool lacks: goodgate connects.
func (d *decoder) borrowedChecks(path, pool string, h *Health) {
	_, own := d.at.ownAny(path, checkKeys()...)
	if !d.at.own(path+".from") && (own || h.From == pool) {
		h.From = ""
	}
	if h.From != "" {
		h.Type, h.Port, h.Scheme, h.Steps, h.Agent = "tcp", 0, "upstream", nil, nil
	}
}

// checkKeys returns the keys of a pool's own check.
func checkKeys() []string {
	return slices.DeleteFunc(keysOf(fieldsOf(reflect.TypeFor[Health]())), func(key string) bool { return key == "from" })
}

func (v *validator) healthFrom(path, pool string, h Health) {
	if h.From == "" || !v.poolExists(path+".from", h.From) {
		return
	}
	if key, ok := v.at.ownAny(path, checkKeys()...); ok {
		v.errorf(join(path, key), "excludes health.from, which takes the checks of pool %q: remove one of them", h.From)
	}
	seen := []string{pool}
	for at := h.From; at != ""; at = v.config.Pools[at].Health.From {
		if slices.Contains(seen, at) {
			if at != pool { // it is reported at the pools of the cycle
				return
			}
			if len(seen) == 1 {
				v.errorf(path+".from", "found %q: a pool cannot take its checks from itself", h.From)
			} else {
				v.errorf(path+".from", "found %q: a cycle, in which no pool makes checks: %s", h.From, strings.Join(append(seen, at), " -> "))
			}
			return
		}
		seen = append(seen, at)
	}
	if from := seen[len(seen)-1]; v.config.Pools[from].Health.Type == "none" {
		v.errorf(path+".from", "found %q: this pool has no health check (pools.%s.health.type is none)", h.From, from)
	}
}

// healthFrom warns of upstreams that the pool with the checks lacks, as far as the file
// says.
func (a *advisor) healthFrom(pool string, p Pool) {
	from := a.config.ChecksFrom(pool)
	checked := map[string]int{} // by address and by host
	for _, u := range a.config.Pools[from].Upstreams {
		if u.URL == "" {
			return // the other list is known only after a lookup
		}
		address, host := checkedAs(u.URL)
		checked[address]++
		if host != address {
			checked[host]++
		}
	}
	for i, u := range p.Upstreams {
		address, host := checkedAs(u.URL)
		at := index("pools."+pool+".upstreams", i) + ".url"
		switch {
		case u.URL == "" || checked[address] > 0 || checked[host] == 1:
		case checked[host] > 1:
			a.warnf(at, "pool %q, which makes the checks (health.from), has %d upstreams on this host and none with this port: goodgate cannot tell which one counts, and only checks that a connection opens", from, checked[host])
		default:
			a.warnf(at, "pool %q, which makes the checks (health.from), has no upstream with this address or host: goodgate only checks that a connection opens", from)
		}
	}
}

// checkedAs returns the address of an upstream's URL, and its host. A Unix socket has no
// host.
func checkedAs(url string) (address, host string) {
	scheme, address, _ := strings.Cut(url, "://")
	address = strings.ToLower(strings.TrimRight(address, "/"))
	if strings.HasPrefix(url, unixPrefix) {
		return url, url
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		host, port = strings.Trim(address, "[]"), map[string]string{"http": "80", "https": "443"}[scheme]
	}
	return net.JoinHostPort(host, port), host
}

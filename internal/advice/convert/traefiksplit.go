package convert

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// divided sets a split on a draft, with a pool for each service of a weighted one. It
// does nothing if a part cannot have its own pool, or needs another Host.
func (t *traefik) divided(w *tree, d *draft) bool {
	type part struct {
		pool   *pool
		name   string
		weight int
		keep   bool
	}
	var parts []part
	before, refused := len(t.Notes), len(t.Refused)
	for _, c := range w.all("services") {
		name, here := bare(c.str("name"))
		s := t.root.get("http", "services", name)
		weight := min(cmp.Or(c.num("weight"), 1), 10_000)
		if s == nil || !here || s.get("loadBalancer") == nil || slices.ContainsFunc(parts, func(p part) bool { return p.name == name }) {
			return false
		}
		if c.str("weight") == "0" {
			continue
		}
		p := &pool{attempts: d.attempts}
		keep := t.gather(s, p, 1, false, 1)
		if t.usable(p, s.at, t.ownAddresses()); len(p.servers) == 0 || len(parts) > 0 && parts[0].keep != keep {
			t.Notes, t.Refused = t.Notes[:before], t.Refused[:refused]
			return false
		}
		p.reduce()
		parts = append(parts, part{p, name, weight, keep})
	}
	if len(parts) < 2 {
		t.Notes, t.Refused = t.Notes[:before], t.Refused[:refused]
		return false
	}
	var entries []string
	for _, p := range parts {
		p.pool.name = freeName(t.file.pools, p.name)
		pool := t.pooled(p.pool, p.name)
		d.pools = withWord(d.pools, pool)
		entries = append(entries, fmt.Sprintf("{pool: %s, weight: %d}", pool, p.weight))
	}
	by := "by: request"
	if sticky := w.get("sticky"); sticky != nil {
		by = "by: cookie"
		if name := sticky.str("cookie", "name"); isToken(name) {
			by += ", cookie: " + quote(name)
		}
		t.note(sticky.at, "sticky", "goodgate sets its own cookie, so each client may get another side once")
	}
	if w.get("healthCheck") != nil {
		by += ", spill: true"
	}
	if !parts[0].keep && d.host == "" {
		d.host = "upstream"
	}
	d.pool = d.pools[0]
	d.split = "{pools: [" + strings.Join(entries, ", ") + "], " + by + "}"
	w.use()
	return true
}

package convert

import (
	"fmt"
	"slices"
	"strings"
)

// divided sets a split on a draft, with a pool for each service of a weighted one. It
// does nothing if a part cannot have its own pool, or needs another Host.
func (t *traefik) divided(w *tree, d *draft) bool {
	type side struct {
		pool *pool
		name string
		keep bool
	}
	var parts []side
	var weights []int
	before, refused := len(t.Notes), len(t.Refused)
	for _, c := range w.all("services") {
		name, here := bare(c.str("name"))
		s := t.root.get("http", "services", name)
		if s == nil || !here || s.get("loadBalancer") == nil || slices.ContainsFunc(parts, func(p side) bool { return p.name == name }) {
			return false
		}
		weight := weightOf(c)
		if weight == 0 {
			continue
		}
		p := &pool{attempts: d.attempts}
		keep := t.gather(s, p, whole, false, 1)
		if t.usable(p, s.at, t.ownAddresses()); len(p.servers) == 0 || len(parts) > 0 && parts[0].keep != keep {
			t.Notes, t.Refused = t.Notes[:before], t.Refused[:refused]
			return false
		}
		p.reduce()
		parts = append(parts, side{p, name, keep})
		weights = append(weights, weight)
	}
	if len(parts) < 2 {
		t.Notes, t.Refused = t.Notes[:before], t.Refused[:refused]
		return false
	}
	var entries []string
	weights = ratio(weights, 10_000)
	for i, p := range parts {
		p.pool.name = freeName(t.file.pools, p.name)
		pool := t.pooled(p.pool, p.name)
		d.pools = withWord(d.pools, pool)
		entries = append(entries, fmt.Sprintf("{pool: %s, weight: %d}", pool, weights[i]))
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

package convert

import (
	"fmt"
	"regexp"

	"github.com/goodgate/goodgate/internal/advice/nginxconf"
)

// onlyReads is the text of a note for each mirror.
const onlyReads = "GET and HEAD are mirrored: name other methods in mirror.methods, if the pool may execute them too"

// mirrors converts Traefik's mirroring, if it mirrors all requests of a route to one
// service.
func (t *traefik) mirrors(m *tree, d *draft) {
	for _, in := range m.all("mirrors") {
		name, here := bare(in.str("name"))
		s := t.root.get("http", "services", name)
		percent := in.num("percent")
		p := &pool{name: freeName(t.file.pools, name)}
		switch {
		case percent < 1:
			continue // Traefik sends none
		case percent > 100 || s == nil || !here:
			t.note(in.at, "mirrors "+in.str("name"), "left out: the file has no such service, or its share is not between 1 and 100 %%")
			continue
		case d.mirror != "":
			t.note(in.at, "mirrors "+in.str("name"), "left out: a route can have only one mirror, the first")
			continue
		}
		t.gather(s, p, whole, false, 1)
		if t.usable(p, s.at, t.ownAddresses()); len(p.servers) == 0 {
			t.note(in.at, "mirrors "+in.str("name"), "left out: goodgate cannot use any of its servers")
			continue
		}
		p.reduce()
		pool := t.pooled(p, name)
		if pool == d.pool {
			t.note(in.at, "mirrors "+in.str("name"), "left out: the requests already go to this service")
			continue
		}
		d.mirror = fmt.Sprintf("{pool: %s, share: %d%%}", pool, percent)
		t.note(in.at, "mirrors "+in.str("name"), onlyReads)
	}
}

// sameRequest matches a proxy_pass that sends a mirror the client's path and query.
var sameRequest = regexp.MustCompile(`^https?://([^/$]+)\$request_uri$`)

// mirrored converts mirror.
func (n *nginx) mirrored(s *nginxconf.Server, p *place, r *route) {
	list := p.any("mirror")
	if len(list) != 1 || list[0].Arg(0) == "off" || r.strip+r.add+r.rewrite[0] != "" {
		return // it is noted
	}
	d := list[0]
	_, l := n.inner(s, d.Arg(0))
	if l == nil || l.Prefix() != "proxy" {
		return
	}
	m := sameRequest.FindStringSubmatch(l.Pass.Arg(0))
	if m == nil {
		return
	}
	one := *l
	one.Host, one.URI, one.Variable = m[1], "", ""
	pool := n.pool(&one)
	if pool == "" || pool == r.pool {
		return
	}
	r.mirror = "{pool: " + pool + "}"
	n.use(d, p.one("mirror_request_body"))
	n.note(d.At(), d.Name, onlyReads)
}

package gate

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/proxy"
)

// shownPools returns the pools whose history the journal keeps: all, or none without an
// API.
func (g *Gate) shownPools() []*proxy.Pool {
	if g.current.Load().config.Admin.Address == "" {
		return nil
	}
	return g.Pools()
}

// wiring describes how requests arrive: the listeners, and the routes with their pools.
func (g *Gate) wiring() admin.Wiring {
	present := g.current.Load()
	w := admin.Wiring{Listeners: []admin.Listener{}, Routes: []admin.Route{}}
	for _, s := range present.servers {
		w.Listeners = append(w.Listeners, s.told())
	}
	for _, r := range present.config.Routes {
		w.Routes = append(w.Routes, routeTold(r))
	}
	return w
}

func (s *server) told() admin.Listener {
	l := admin.Listener{Address: s.address, Name: s.config.Name, Protocols: []string{"HTTP/1.1"}}
	if s.config.TLS != nil {
		l.Protocols = append([]string{"TLS"}, l.Protocols...)
	}
	if h2 := s.config.HTTP2; h2.Cleartext || h2.Enabled && s.config.TLS != nil {
		l.Protocols = append(l.Protocols, "HTTP/2")
	}
	if s.http3 != nil {
		l.Protocols = append(l.Protocols, "HTTP/3")
	}
	until := map[string]time.Time{}
	if s.certs != nil {
		maps.Copy(until, s.certs.Expiry())
	}
	if s.issuer != nil {
		maps.Copy(until, s.issuer.manager.Expiry())
	}
	for _, file := range slices.Sorted(maps.Keys(until)) {
		l.Certificates = append(l.Certificates, admin.Certificate{File: file, Until: until[file]})
	}
	return l
}

func routeTold(r config.Route) admin.Route {
	t := admin.Route{Name: r.Name, Match: matchTold(r.Match), Pool: r.Pool}
	switch {
	case r.Redirect != nil:
		t.To = fmt.Sprintf("redirect %d", r.Redirect.Status)
	case r.Respond != nil:
		t.To = fmt.Sprintf("answer %d", r.Respond.Status)
	case r.Split != nil:
		t.Split = r.Pools()
		t.To = "split between " + strings.Join(t.Split, ", ")
	default:
		t.To = "pool " + r.Pool
	}
	return t
}

// matchTold returns a route's condition in one line, in the words of the configuration.
func matchTold(m config.Match) string {
	var parts []string
	add := func(name, value string) {
		if value != "" {
			parts = append(parts, strings.TrimSpace(name+" "+value))
		}
	}
	if len(m.Host) == 1 {
		add("", m.Host[0]+m.Path)
	} else {
		add("", strings.Join(m.Host, ", "))
		add("", m.Path)
	}
	if m.Scheme != "any" {
		add("scheme", m.Scheme)
	}
	add("path_regexp", m.PathRegexp)
	add("methods", strings.Join(m.Methods, ", "))
	for _, name := range slices.Sorted(maps.Keys(m.Headers)) {
		add("header", name) // not its value, which may be a secret
	}
	add("without header", strings.Join(m.HeaderAbsent, ", "))
	if len(m.All) > 0 {
		add("all", fmt.Sprintf("of %d", len(m.All)))
	}
	add("listener", strings.Join(m.Listener, ", "))
	add("port", strings.Trim(fmt.Sprint(m.Port), "[]"))
	add("sni", strings.Join(m.SNI, ", "))
	if len(m.Any) > 0 {
		add("any", fmt.Sprintf("of %d", len(m.Any)))
	}
	if len(m.Not) > 0 {
		add("not", fmt.Sprintf("%d", len(m.Not)))
	}
	var clients []string
	for _, c := range m.Client {
		clients = append(clients, c.String())
	}
	add("client", strings.Join(clients, ", "))
	return cmp.Or(strings.Join(parts, "; "), "every request")
}

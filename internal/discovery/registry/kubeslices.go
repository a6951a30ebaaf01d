package registry

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/goodgate/goodgate/internal/discovery"
)

// sliceObject is the relevant part of an EndpointSlice (discovery.k8s.io/v1).
type sliceObject struct {
	Metadata    struct{ Name, ResourceVersion string }
	AddressType string
	Ports       []slicePort
	Endpoints   []endpoint
}

type slicePort struct {
	Name, Protocol, AppProtocol string
	Port                        int
}

// endpoint is usually one Pod.
type endpoint struct {
	Addresses  []string // equivalent; the first one is used
	Conditions struct {
		Ready, Serving, Terminating *bool
	}
	NodeName, Zone string
	TargetRef      *struct{ Kind, Name, UID string }
	Hints          *struct{ ForZones []struct{ Name string } }
}

// slice is the stored part of an EndpointSlice.
type slice struct {
	name      string
	family    string // ip4 or ip6; "" = neither
	ports     []slicePort
	endpoints []endpoint
}

func (o *sliceObject) slice() *slice {
	return &slice{name: o.Metadata.Name, ports: o.Ports, endpoints: o.Endpoints,
		family: map[string]string{"IPv4": "ip4", "IPv6": "ip6"}[o.AddressType]}
}

// port returns the port of an application in a slice.
func (s *slice) port(want string) (p slicePort, why string) {
	number, err := strconv.Atoi(want)
	isNumber := err == nil
	var tcp []slicePort
	for _, p := range s.ports {
		if p.Protocol != "" && p.Protocol != "TCP" {
			continue
		}
		if want != "" && p.Name == want || isNumber && p.Port == number {
			return p, ""
		}
		tcp = append(tcp, p)
	}
	switch {
	case isNumber && (len(s.ports) == 0 || len(tcp) == 1 && tcp[0].Port == 0): // any port: headless, without ports
		return slicePort{Port: number}, ""
	case want == "" && len(tcp) == 1:
		return tcp[0], ""
	case len(s.ports) == 0:
		return p, "it has no ports: set port to the number that the application listens on"
	case len(tcp) == 0:
		return p, "it has no TCP port"
	case want == "":
		return p, "it has several ports, and no port says which: " + portNames(tcp)
	}
	return p, fmt.Sprintf("it has no port %s; it has %s", strconv.Quote(want), portNames(tcp))
}

func portNames(ports []slicePort) string {
	var names []string
	for _, p := range ports[:min(len(ports), 10)] {
		names = append(names, strings.TrimSpace(p.Name+" "+strconv.Itoa(p.Port)))
	}
	return strings.Join(names, ", ")
}

// lifecycle returns the meaning of the conditions. A missing one has the default of the
// API: ready is true, serving is ready, terminating is false.
func (e *endpoint) lifecycle() discovery.Lifecycle {
	switch c := &e.Conditions; {
	case c.Terminating != nil && *c.Terminating:
		return discovery.Terminating
	case c.Ready != nil && !*c.Ready:
		return discovery.NotReady
	}
	return discovery.Serving
}

// serves reports whether an endpoint answers, terminating or not.
func (e *endpoint) serves() bool {
	if s := e.Conditions.Serving; s != nil {
		return *s
	}
	return e.Conditions.Ready == nil || *e.Conditions.Ready
}

// id returns the common part of a Pod's two endpoints, one per family; "" = none.
func (e *endpoint) id() string {
	if r := e.TargetRef; r != nil {
		return cmp.Or(r.UID, r.Kind+"/"+r.Name)
	}
	return ""
}

// candidate is an endpoint that may become a target.
type candidate struct {
	discovery.Target
	*endpoint
	ip   netip.Addr
	port int
}

// merge returns the targets in slices, sorted by address. An address may be in two
// slices while it moves: the better state counts.
func merge(all map[string]*slice, o *KubernetesOptions) discovery.Found {
	found := discovery.Found{Targets: []discovery.Target{}}
	byAddr := map[string]*candidate{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		for _, c := range candidates(all[name], o, &found) {
			if old := byAddr[c.Addr]; old == nil || rank(c.Lifecycle) < rank(old.Lifecycle) {
				byAddr[c.Addr] = c
			}
		}
	}
	list := slices.SortedFunc(maps.Values(byAddr), func(a, b *candidate) int {
		return cmp.Or(a.ip.Compare(b.ip), cmp.Compare(a.port, b.port))
	})
	list = paired(list)
	useTerminating(list)
	setZones(list)
	for _, c := range list {
		found.Targets = append(found.Targets, c.Target)
	}
	return found
}

// rank orders states, the best one first.
func rank(l discovery.Lifecycle) int {
	return map[discovery.Lifecycle]int{discovery.Serving: 0, discovery.Terminating: 1, discovery.NotReady: 2}[l]
}

// candidates returns the endpoints of a slice that can be targets. The others are left
// out with a reason.
func candidates(s *slice, o *KubernetesOptions, found *discovery.Found) (list []*candidate) {
	leave := func(what, why string) {
		found.LeftOut = append(found.LeftOut, discovery.LeftOut{What: what, Why: why})
	}
	if s.family == "" {
		leave("EndpointSlice "+s.name, "its addresses are neither IPv4 nor IPv6")
		return nil
	}
	if o.Family != "" && o.Family != s.family {
		return nil
	}
	p, why := s.port(o.Port)
	if why != "" {
		if len(s.endpoints) > 0 {
			leave("EndpointSlice "+s.name, why)
		}
		return nil
	}
	for i := range s.endpoints {
		e := &s.endpoints[i]
		var address string
		if len(e.Addresses) > 0 {
			address = e.Addresses[0]
		}
		ip, err := netip.ParseAddr(address)
		what := cmp.Or(e.name(), address, "an endpoint") + " in " + s.name
		if err != nil {
			leave(what, "its address is "+strconv.Quote(address)+", which is none")
			continue
		}
		base := o.Base
		base.TLS = base.TLS || strings.EqualFold(p.AppProtocol, "https")
		t, why := at(base, address, p.Port)
		if why != "" {
			leave(what, why)
			continue
		}
		t.Lifecycle = e.lifecycle()
		t.Metadata = metadata(map[string]string{"pod": e.name(), "node": e.NodeName, "slice": s.name})
		list = append(list, &candidate{Target: t, endpoint: e, ip: ip, port: p.Port})
	}
	return list
}

func (e *endpoint) name() string {
	if r := e.TargetRef; r != nil {
		return r.Name
	}
	return ""
}

// paired joins the two addresses of a Pod. IPv4 must be first in the list.
func paired(list []*candidate) []*candidate {
	type key struct {
		id   string
		port int
	}
	first := map[key]*candidate{}
	return slices.DeleteFunc(list, func(c *candidate) bool {
		k := key{c.id(), c.port}
		if k.id == "" {
			return false
		}
		if c.ip.Is4() {
			first[k] = c
			return false
		}
		v4 := first[k]
		if v4 == nil || v4.Other != "" {
			return v4 != nil
		}
		if c.Lifecycle == discovery.Terminating {
			v4.Lifecycle = discovery.Terminating
		}
		v4.Other = c.Addr
		return true
	})
}

// useTerminating lets terminating endpoints that still answer serve requests if no
// others do, like kube-proxy (KEP-1669).
func useTerminating(list []*candidate) {
	if slices.ContainsFunc(list, func(c *candidate) bool { return c.Lifecycle == discovery.Serving }) {
		return
	}
	for _, c := range list {
		if c.Lifecycle == discovery.Terminating && c.serves() {
			c.Lifecycle = discovery.Serving
		}
	}
}

// setZones sets the zones from topology hints if all serving endpoints have hints, like
// kube-proxy; else the zones in which the endpoints run. Among several hints, the
// endpoint's own zone has priority.
func setZones(list []*candidate) {
	hinted := !slices.ContainsFunc(list, func(c *candidate) bool {
		return c.Lifecycle == discovery.Serving && len(c.hints()) == 0
	})
	for _, c := range list {
		hint := ""
		if h := c.hints(); hinted && len(h) > 0 {
			if hint = h[0]; slices.Contains(h, c.endpoint.Zone) {
				hint = c.endpoint.Zone
			}
		}
		c.Target.Zone = zone(hint, c.endpoint.Zone, c.Target.Zone)
	}
}

func (e *endpoint) hints() (zones []string) {
	if e.Hints != nil {
		for _, z := range e.Hints.ForZones {
			zones = append(zones, z.Name)
		}
	}
	return zones
}

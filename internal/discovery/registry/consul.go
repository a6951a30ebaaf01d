package registry

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/goodgate/goodgate/internal/discovery"
)

// ConsulOptions select a service of Consul.
type ConsulOptions struct {
	Access     Access // its TokenHeader is Consul's
	Service    string
	Tags       []string // required tags of an instance
	Datacenter string
	Namespace  string
	Partition  string
	Base       discovery.Target
	Wait       time.Duration
}

// Consul queries the instances of a service, with blocking queries of
// /v1/health/service.
type Consul struct {
	blocking
	options ConsulOptions
}

// NewConsul returns a source for a service.
func NewConsul(o ConsulOptions) *Consul {
	o.Access.TokenHeader = "X-Consul-Token"
	return &Consul{blocking{client: newClient(o.Access), indexField: "X-Consul-Index", wait: o.Wait}, o}
}

// consulEntry is the relevant part of an instance.
type consulEntry struct {
	Node struct {
		Node, Address, Datacenter string
		Meta                      map[string]string
	}
	Service struct {
		ID, Address string
		Port        int
		Tags        []string
		Meta        map[string]string
		Weights     struct{ Passing, Warning int }
		Locality    *struct{ Region, Zone string }
	}
	Checks []struct{ CheckID, Status string }
}

// Ask queries once. Any server may answer, not only the leader, so there are answers
// without a leader.
func (c *Consul) Ask(ctx context.Context, fresh bool) (discovery.Found, error) {
	o := &c.options
	query := set(url.Values{"stale": {""}}, "dc", o.Datacenter, "ns", o.Namespace, "partition", o.Partition)
	body, header, err := c.next(ctx, fresh, "/v1/health/service/"+url.PathEscape(o.Service), query)
	if err != nil {
		return discovery.Found{}, err
	}
	if header.Get("X-Consul-Results-Filtered-By-ACLs") == "true" {
		return discovery.Found{}, errors.New("the token may not see every instance (X-Consul-Results-Filtered-By-ACLs): it needs service:read and node:read")
	}
	var entries []consulEntry
	if err := decode(body, &entries); err != nil {
		return discovery.Found{}, err
	}
	if entries == nil {
		return discovery.Found{}, errNoList
	}
	found := discovery.Found{Targets: []discovery.Target{}}
	for i := range entries {
		c.add(&found, &entries[i])
	}
	return found, nil
}

// add adds an instance, or the reason for leaving it out.
func (c *Consul) add(found *discovery.Found, e *consulEntry) {
	s := &e.Service
	t, why := at(c.options.Base, cmp.Or(s.Address, e.Node.Address), s.Port)
	if why == "" {
		why = lacks(s.Tags, c.options.Tags)
	}
	if why != "" {
		found.LeftOut = append(found.LeftOut, discovery.LeftOut{What: s.ID + " on " + e.Node.Node, Why: why})
		return
	}
	status := e.status()
	if n := e.weight(status); n > 0 && c.options.Base.Weight <= 1 {
		t.Weight = min(n, maxWeight)
	}
	t.Lifecycle = map[string]discovery.Lifecycle{"critical": discovery.NotReady, "maintenance": discovery.Terminating}[status]
	t.Zone = zone(s.Meta["zone"], e.locality(), e.Node.Meta["zone"], t.Zone, e.Node.Datacenter)
	meta := map[string]string{}
	maps.Copy(meta, s.Meta)
	meta["id"], meta["node"], meta["status"], meta["tags"] = s.ID, e.Node.Node, status, strings.Join(s.Tags, " ")
	t.Metadata = metadata(meta)
	found.Targets = append(found.Targets, t)
}

// status returns the worst status of the checks, as Consul itself aggregates them.
func (e *consulEntry) status() string {
	order := []string{"passing", "warning", "critical", "maintenance"}
	worst := 0
	for _, check := range e.Checks {
		is := check.Status
		if check.CheckID == "_node_maintenance" || strings.HasPrefix(check.CheckID, "_service_maintenance:") {
			is = "maintenance"
		}
		worst = max(worst, slices.Index(order, is))
	}
	return order[worst]
}

func (e *consulEntry) weight(status string) int {
	if status == "warning" {
		return e.Service.Weights.Warning
	}
	return e.Service.Weights.Passing
}

func (e *consulEntry) locality() string {
	if l := e.Service.Locality; l != nil {
		return cmp.Or(l.Zone, l.Region)
	}
	return ""
}

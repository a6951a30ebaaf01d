package registry

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/goodgate/goodgate/internal/discovery"
)

// NomadOptions select a service of Nomad.
type NomadOptions struct {
	Access    Access // its TokenHeader is Nomad's
	Service   string
	Tags      []string // required tags of an instance
	Namespace string
	Region    string
	Base      discovery.Target
	Wait      time.Duration
}

// Nomad queries the instances of a service in Nomad's own registry, with blocking
// queries of /v1/service.
type Nomad struct {
	blocking
	options NomadOptions
}

// NewNomad returns a source for a service.
func NewNomad(o NomadOptions) *Nomad {
	o.Access.TokenHeader = "X-Nomad-Token"
	return &Nomad{blocking{client: newClient(o.Access), indexField: "X-Nomad-Index", wait: o.Wait}, o}
}

// nomadEntry is the relevant part of an instance.
type nomadEntry struct {
	ID, Address, AllocID, JobID, NodeID, Datacenter string
	Port                                            int
	Tags                                            []string
}

// Ask queries once.
func (n *Nomad) Ask(ctx context.Context, fresh bool) (discovery.Found, error) {
	o := &n.options
	query := set(url.Values{"stale": {""}}, "namespace", o.Namespace, "region", o.Region)
	body, _, err := n.next(ctx, fresh, "/v1/service/"+url.PathEscape(o.Service), query)
	if err != nil {
		return discovery.Found{}, err
	}
	var entries []nomadEntry
	if err := decode(body, &entries); err != nil {
		return discovery.Found{}, err
	}
	if entries == nil {
		return discovery.Found{}, errNoList
	}
	found := discovery.Found{Targets: []discovery.Target{}}
	for _, e := range entries {
		t, why := at(o.Base, e.Address, e.Port)
		if why == "" {
			why = lacks(e.Tags, o.Tags)
		}
		if why != "" {
			found.LeftOut = append(found.LeftOut, discovery.LeftOut{What: e.ID, Why: why})
			continue
		}
		t.Zone = zone(t.Zone, e.Datacenter)
		t.Metadata = metadata(map[string]string{"alloc": e.AllocID, "job": e.JobID, "node": e.NodeID, "tags": strings.Join(e.Tags, " ")})
		found.Targets = append(found.Targets, t)
	}
	return found, nil
}

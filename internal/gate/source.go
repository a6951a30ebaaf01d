package gate

import (
	"fmt"

	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/discovery"
)

// newSource returns where a pool's upstreams come from: one source an entry.
func newSource(c config.Pool) (discovery.Source, error) {
	var sources []discovery.Source
	for i, u := range c.Upstreams {
		s, err := upstreamSource(u, c.DNS)
		if err != nil {
			return nil, fmt.Errorf("upstreams[%d]: %w", i, err)
		}
		sources = append(sources, s)
	}
	return discovery.Merge(sources...), nil
}

func upstreamSource(u config.Upstream, dns config.DNS) (discovery.Source, error) {
	resolver := discovery.Resolver{Server: dns.Resolver, MinTTL: dns.MinTTL, MaxTTL: dns.MaxTTL, Timeout: dns.Timeout}
	rest := discovery.Target{Weight: u.Weight, Tier: u.Tier, MaxInFlight: u.MaxInFlight, TLS: u.Scheme == "https"}
	switch {
	case u.File != "":
		return discovery.NewFile(u.File, rest), nil
	case u.SRV != "":
		return discovery.NewSRV(u.SRV, rest, resolver)
	}
	t, isName, err := discovery.ParseURL(u.URL)
	if err != nil {
		return nil, err
	}
	t.Weight, t.Tier, t.MaxInFlight = u.Weight, u.Tier, u.MaxInFlight
	if isName {
		return discovery.NewDNS(t, resolver)
	}
	return discovery.NewStatic(t), nil
}

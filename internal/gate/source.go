package gate

import (
	"fmt"

	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/discovery"
)

// feed is where a pool's upstreams come from: one source an entry.
type feed struct {
	discovery.Source
	entries []feedEntry
	task    *task
}

type feedEntry struct {
	from config.Upstream
	dns  config.DNS
	kept *discovery.Kept
}

// newFeed begins with what an earlier feed has found for the same entries; a
// nil one has found nothing.
func newFeed(c config.Pool, earlier *feed) (*feed, error) {
	f := &feed{}
	var sources []discovery.Source
	for i, u := range c.Upstreams {
		s, err := upstreamSource(u, c.DNS)
		if err != nil {
			return nil, fmt.Errorf("upstreams[%d]: %w", i, err)
		}
		kept := discovery.Keep(s, earlier.find(u, c.DNS))
		f.entries = append(f.entries, feedEntry{u, c.DNS, kept})
		sources = append(sources, kept)
	}
	f.Source = discovery.Merge(sources...)
	return f, nil
}

func (f *feed) find(u config.Upstream, dns config.DNS) *discovery.Kept {
	if f == nil {
		return nil
	}
	for _, e := range f.entries {
		if e.from == u && e.dns == dns {
			return e.kept
		}
	}
	return nil
}

// refresh asks every source that can to look again.
func (f *feed) refresh() { f.Source.(discovery.Refresher).Refresh() }

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

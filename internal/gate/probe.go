package gate

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/health"
	"github.com/goodgate/goodgate/internal/assemble"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/discovery"
)

// ProbeResult is the result of one probe of one upstream.
type ProbeResult struct {
	Pool     string
	Upstream string // address, or its entry's name if the lookup failed
	Kind     string // of the probe
	Took     time.Duration
	Answered bool  // it sent an answer, and did not only accept the connection
	Err      error // nil when it passed
}

// Probe looks up all upstreams of a configuration, and probes each once with its health
// check. Without a health check it only connects.
func Probe(ctx context.Context, c *config.Config) ([]ProbeResult, error) {
	found := map[string][]ProbeResult{}
	names := slices.Sorted(maps.Keys(c.Pools))
	for _, borrows := range []bool{false, true} {
		for _, name := range names {
			from := c.ChecksFrom(name)
			if (from != name) != borrows {
				continue
			}
			list, err := probePool(ctx, name, c.Pools[name], found[from])
			if err != nil {
				return nil, fmt.Errorf("pools.%s: %w", name, err)
			}
			found[name] = list
		}
	}
	var results []ProbeResult
	for _, name := range names {
		results = append(results, found[name]...)
	}
	return results, nil
}

// probePool probes the upstreams of a pool. Those with a counterpart in lent, the results
// of the pool whose checks count, get its result.
func probePool(ctx context.Context, name string, c config.Pool, lent []ProbeResult) ([]ProbeResult, error) {
	if c.Health.Type == "none" {
		c.Health.Type = "tcp"
	}
	targets, failures := lookUp(ctx, c)
	p, err := balancer.NewPool(balancer.Options{Name: name, Checked: true})
	if err != nil {
		return nil, err
	}
	p.Update(assemble.Specs(targets))
	t, err := assemble.NewTrust(c.TLS, nil)
	if err != nil {
		return nil, err
	}
	check, err := assemble.Health(c, t.Config)
	if err != nil {
		return nil, err
	}
	members := p.Members()
	results := make([]ProbeResult, len(members))
	slots := make(chan struct{}, probesAtOnce)
	var wg sync.WaitGroup
	of := map[string]ProbeResult{}
	for _, r := range lent {
		if r.Kind != "lookup" {
			of[r.Upstream] = r
		}
	}
	find := counterparts(slices.Collect(maps.Keys(of)))
	for i := range members {
		if r, ok := of[find(members[i].Addr())]; ok {
			r.Pool, r.Upstream, r.Kind = name, members[i].Addr(), "from pool "+r.Pool
			results[i] = r
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			ctx, cancel := context.WithTimeout(ctx, c.Health.Timeout)
			defer cancel()
			began := time.Now()
			answered, err := probeOnce(ctx, check.Prober, members[i].Upstream)
			results[i] = ProbeResult{Pool: name, Upstream: members[i].Addr(), Kind: c.Health.Type, Took: time.Since(began), Answered: answered, Err: err}
		})
	}
	wg.Wait()
	for _, f := range failures {
		results = append(results, ProbeResult{Pool: name, Upstream: f.what, Kind: "lookup", Err: f.err})
	}
	return results, nil
}

// probeOnce makes a probe, and reports whether the upstream sent an answer. A probe that
// only connects gets none.
func probeOnce(ctx context.Context, p health.Prober, u *balancer.Upstream) (answered bool, err error) {
	switch p := p.(type) {
	case *health.Alive:
		return p.Ask(ctx, u)
	case health.TCP:
		err = p.Probe(ctx, u)
		return err == nil && p.Talks(), err
	}
	err = p.Probe(ctx, u)
	return err == nil, err
}

// probesAtOnce bounds concurrent probes.
const probesAtOnce = 64

// lookupFailure is a pool's upstream entry that yielded no address.
type lookupFailure struct {
	what string
	err  error
}

// lookUp asks every source of a pool once.
func lookUp(ctx context.Context, c config.Pool) (targets []discovery.Target, failures []lookupFailure) {
	for _, u := range c.Upstreams {
		found, err := assemble.LookUp(ctx, u, c.DNS)
		if err != nil {
			failures = append(failures, lookupFailure{strings.TrimPrefix(u.Source(), "url: "), err})
		}
		targets = append(targets, found...)
	}
	return targets, failures
}

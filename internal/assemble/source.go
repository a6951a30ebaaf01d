package assemble

import (
	"context"
	"errors"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/discovery"
)

// Source returns the source of an entry of upstreams; fixed means that it looks nothing
// up. An error is about the entry, or about the resolver.
func Source(u config.Upstream, dns config.DNS) (s discovery.Source, fixed bool, err error) {
	resolver := discovery.Resolver{Server: dns.Resolver, Family: family(dns), Pair: dns.Family == "auto",
		MinTTL: dns.MinTTL, MaxTTL: dns.MaxTTL, Timeout: dns.Timeout}
	rest := discovery.Target{Weight: u.Weight, Tier: u.Tier, MaxInFlight: u.MaxInFlight, Together: u.MaxScope == "fleet", TLS: u.Scheme == "https", Zone: u.Zone}
	switch {
	case u.File != "":
		return discovery.NewFile(u.File, rest), false, nil
	case u.SRV != "":
		s, err = discovery.NewSRV(u.SRV, rest, resolver)
		return s, false, err
	case u.URL == "":
		s, err = registrySource(u, dns, rest)
		return s, false, err
	}
	t, isName, err := discovery.ParseURL(u.URL)
	if err != nil {
		return nil, false, err
	}
	t.Weight, t.Tier, t.MaxInFlight, t.Together, t.Zone = u.Weight, u.Tier, u.MaxInFlight, u.MaxScope == "fleet", u.Zone
	if isName {
		s, err = discovery.NewDNS(t, resolver)
		return s, false, err
	}
	return discovery.NewStatic(t), true, nil
}

// family returns the family of addresses to look up, "" for both.
func family(dns config.DNS) string {
	return map[string]string{"ipv4": "ip4", "ipv6": "ip6"}[dns.Family]
}

// LookUp returns the present targets of an entry of upstreams. It runs the source until
// its first answer, for the timeout of dns or of the source, and one more second for
// files. Without an answer in time it returns an error.
func LookUp(ctx context.Context, u config.Upstream, dns config.DNS) (found []discovery.Target, failed error) {
	found, _, failed = Discover(ctx, u, dns)
	return found, failed
}

// Discover is [LookUp], and also returns the candidates that were left out.
func Discover(ctx context.Context, u config.Upstream, dns config.DNS) (found []discovery.Target, leftOut []discovery.LeftOut, failed error) {
	source, _, err := Source(u, dns)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, max(dns.Timeout, u.Timeout())+time.Second)
	defer cancel()
	answered := false
	err = source.Run(ctx, discovery.Sink{
		Update: func(t []discovery.Target) { found, answered = t, true; cancel() },
		Report: func(err error) { failed = err; cancel() },
		Looked: func(l []discovery.LeftOut, _ bool) { leftOut = l },
	})
	if err == nil && failed == nil && !answered {
		failed = errors.New("gave no answer in time")
	}
	return found, leftOut, errors.Join(failed, err)
}

// lifecycles maps discovery's lifecycles to the balancer's. It is never changed.
var lifecycles = map[discovery.Lifecycle]balancer.Lifecycle{
	discovery.Serving: balancer.Serving, discovery.NotReady: balancer.NotReady, discovery.Terminating: balancer.Terminating,
}

// Specs converts discovered upstreams into the balancer's form.
func Specs(targets []discovery.Target) []balancer.Spec {
	list := make([]balancer.Spec, len(targets))
	for i, t := range targets {
		list[i] = balancer.Spec{Addr: t.Addr, Other: t.Other, Name: t.Name, TLS: t.TLS, Weight: t.Weight, Tier: t.Tier, MaxInFlight: t.MaxInFlight,
			Lifecycle: lifecycles[t.Lifecycle], Zone: t.Zone, Metadata: t.Metadata.Map()}
		if t.Together {
			list[i].FleetMax = t.MaxInFlight
		}
	}
	return list
}

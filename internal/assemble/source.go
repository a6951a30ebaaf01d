package assemble

import (
	"context"
	"errors"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/discovery"
)

// Source returns where an entry of upstreams leads; fixed says that it has nothing
// to look up. An error says what is wrong with the entry, or with the resolver.
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

// family is the kind of addresses that names are looked up for, "" for both.
func family(dns config.DNS) string {
	return map[string]string{"ipv4": "ip4", "ipv6": "ip6"}[dns.Family]
}

// LookUp returns what an entry of upstreams stands for now. It runs its source
// until the first word, for which that has the timeout of dns, or its own, and a second
// more for files. Without an answer in time there is an error.
func LookUp(ctx context.Context, u config.Upstream, dns config.DNS) (found []discovery.Target, failed error) {
	found, _, failed = Discover(ctx, u, dns)
	return found, failed
}

// Discover is [LookUp], and tells the candidates that were left out.
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

// lifecycles are the balancer's words for those of discovery. Never changed.
var lifecycles = map[discovery.Lifecycle]balancer.Lifecycle{
	discovery.Serving: balancer.Serving, discovery.NotReady: balancer.NotReady, discovery.Terminating: balancer.Terminating,
}

// Specs returns upstreams that were found as the balancer takes them.
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

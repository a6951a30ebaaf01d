package gate

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/discovery"
)

// Doubts looks up the names of a configuration's upstreams, and returns warnings about
// the addresses found. It ignores names that it cannot look up.
func Doubts(ctx context.Context, c *config.Config) []config.Warning {
	names := slices.Sorted(maps.Keys(c.Pools))
	found := make([][]config.Warning, len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		wg.Go(func() {
			targets, _ := lookUp(ctx, c.Pools[name])
			for _, d := range doubts(c.Listeners, c.Pools[name].DNS, targets) {
				found[i] = append(found[i], config.Warning(c.Errorf("pools."+name+".upstreams", "%s", d)))
			}
		})
	}
	wg.Wait()
	return slices.Concat(found...)
}

// doubts returns warnings about the upstreams found: an upstream that is goodgate's own
// listener, or a name with several addresses of both families.
func doubts(listeners []config.Listener, dns config.DNS, targets []discovery.Target) (list []string) {
	families := map[string][2]int{} // by name: IPv4 and IPv6 addresses
	for _, t := range targets {
		for _, addr := range []string{t.Addr, t.Other} {
			if l := config.OwnListener(listeners, urlOf(addr)); addr != "" && l >= 0 {
				list = append(list, fmt.Sprintf("%s leads to %s, goodgate's own listener (listeners[%d], %q): requests that come back get 508", nameOf(t), addr, l, listeners[l].Address))
			}
		}
		if a, err := netip.ParseAddrPort(t.Addr); err == nil && t.Other == "" {
			n := families[t.Name]
			n[map[bool]int{true: 0, false: 1}[a.Addr().Unmap().Is4()]]++
			families[t.Name] = n
		}
	}
	delete(families, "")
	for _, name := range slices.Sorted(maps.Keys(families)) {
		if n := families[name]; n[0] > 0 && n[1] > 0 && dns.Family == "auto" {
			list = append(list, fmt.Sprintf("%s has IPv4 addresses (%d) and IPv6 addresses (%d), each of which counts as one upstream: an application with both counts twice; dns.family ipv4 or ipv6 uses one family", name, n[0], n[1]))
		}
	}
	return list
}

func nameOf(t discovery.Target) string {
	if t.Name != "" {
		return t.Name
	}
	return t.Addr
}

func urlOf(addr string) string {
	if strings.HasPrefix(addr, "unix:") {
		return addr
	}
	return "http://" + addr
}

// listeners returns the listeners of the present configuration.
func (g *Gate) listeners() []config.Listener { return g.current.Load().config.Listeners }

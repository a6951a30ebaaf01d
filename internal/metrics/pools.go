package metrics

import (
	"sync"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/proxy"
)

// goneFor is how long the counts of a removed upstream stay, so that a scrape still
// gets the last ones.
const goneFor = 10 * time.Minute

func poolDesc(name, help string) *desc { return newDesc(namespace+"pool_"+name, help, "pool") }

func upstreamDesc(name, help string, labels ...string) *desc {
	return newDesc(namespace+"upstream_"+name, help, append([]string{"pool", "upstream"}, labels...)...)
}

// Metrics of pools and upstreams. They are never changed.
var (
	poolMembers   = poolDesc("upstreams", "Upstreams in the pool.")
	poolAvailable = poolDesc("upstreams_available", "Available upstreams of the pool.")
	poolInFlight  = poolDesc("requests_in_flight", "Requests that occupy an upstream of the pool.")
	poolLimit     = poolDesc("requests_limit", "Limit of requests in flight on the available upstreams; 0 without a limit.")
	poolHeld      = poolDesc("requests_held", "Requests that wait for an upstream of the pool.")
	poolQueued    = poolDesc("requests_queued", "Requests in the pool's queue.")
	poolDemand    = poolDesc("demand_requests", "Concurrent demand of the pool: requests in flight, queued and held.")
	poolUsed      = poolDesc("utilisation_ratio", "Requests in flight divided by their limit; 0 without a limit.")
	poolSaturated = poolDesc("saturated", "Whether the pool gets more requests than its upstreams may have, for longer than a burst.")
	poolBudget    = poolDesc("retry_budget_left", "Retries that the pool's budget allows now.")

	upAvailable = upstreamDesc("available", "Whether the upstream is available, by health checks, breaker, operator and source together.")
	upProbes    = upstreamDesc("probes", "The probes' verdict: 1 for the present state.", "state")
	upBreaker   = upstreamDesc("breaker", "The circuit breaker: 1 for the present state.", "state")
	upOperator  = upstreamDesc("operator", "State set by an operator, unless ready.", "state")
	upLifecycle = upstreamDesc("lifecycle", "State in the source of the upstream: 1 for the present state.", "state")
	upResting   = upstreamDesc("resting", "Whether the upstream asked goodgate to send no new requests.")
	upTrusted   = upstreamDesc("trusted", "Whether the upstream is used because it answers requests, although no upstream passes its probes.")
	upInFlight  = upstreamDesc("requests_in_flight", "Requests that occupy the upstream.")
	upLatency   = upstreamDesc("latency_seconds", "Peak-sensitive moving average of the time to the response header; 0 before the first answer.")
	upIdle      = upstreamDesc("connections_idle", "Idle connections to the upstream.")
	upWeight    = upstreamDesc("weight", "The upstream's configured share of the load.")

	upTunnels       = upstreamDesc("tunnels_open", "Open upgraded connections, such as WebSockets.")
	upTunnelsOpened = upstreamDesc("tunnels_opened_total", "Connections that were upgraded.")
	upTunnelsEnded  = upstreamDesc("tunnels_ended_total", "Closed upgraded connections, by the cause of their end.", "by")
	upTunnelBytes   = upstreamDesc("tunnel_bytes_total", "Bytes that came through upgraded connections.", "to")
)

// poolCollector reads the state of the pools when it is collected.
type poolCollector struct {
	metrics *Metrics

	mu   sync.Mutex // protects gone
	gone map[upstreamKey]time.Time
}

// Describe sends the descriptions that Collect may use.
func (c *poolCollector) Describe(ch chan<- *desc) {
	for _, d := range []*desc{
		poolMembers, poolAvailable, poolInFlight, poolLimit, poolHeld, poolBudget,
		poolQueued, poolDemand, poolUsed, poolSaturated,
		cacheRequests, cacheCoalesced, cacheBytes, cacheLimit, cacheResources, cacheStored, cacheEvicted, cachePurged,
		upAvailable, upProbes, upBreaker, upOperator, upLifecycle, upResting, upTrusted, upInFlight, upLatency, upIdle, upWeight,
		upTunnels, upTunnelsOpened, upTunnelsEnded, upTunnelBytes,
		zoneActive, zoneMeant, zonePicks, sourceUp, sourceUpstreams, sourceLeftOut, sourceLooked, sourceFailures,
	} {
		ch <- d
	}
}

// Collect sends the present state.
func (c *poolCollector) Collect(ch chan<- metric) {
	pools := c.metrics.pools.Load()
	if pools == nil {
		return
	}
	present := map[upstreamKey]bool{}
	for _, p := range (*pools)() {
		members := p.Members()
		available := 0
		for i := range members {
			m := &members[i]
			present[m.Key()] = true
			if m.Available() {
				available++
			}
			collectUpstream(ch, m)
		}
		gauge(ch, poolMembers, len(members), p.Name())
		gauge(ch, poolAvailable, available, p.Name())
		collectDemand(ch, p)
		c.collectSources(ch, p.Name())
		collectZones(ch, p)
		collectCache(ch, p)
		gauge(ch, poolBudget, p.BudgetLeft(), p.Name())
	}
	c.prune(present, time.Now())
}

func collectDemand(ch chan<- metric, p *proxy.Pool) {
	flying, places, held, queued := p.InFlight(), p.Places(), p.Waiting(), p.Queued()
	used := 0.0
	if places > 0 {
		used = float64(flying) / float64(places)
	}
	gauge(ch, poolInFlight, flying, p.Name())
	gauge(ch, poolLimit, places, p.Name())
	gauge(ch, poolHeld, held, p.Name())
	gauge(ch, poolQueued, queued, p.Name())
	gauge(ch, poolDemand, flying+queued+held, p.Name())
	gauge(ch, poolUsed, used, p.Name())
	gauge(ch, poolSaturated, number(p.Saturated()), p.Name())
}

func collectUpstream(ch chan<- metric, m *balancer.Member) {
	k := m.Key()
	gauge(ch, upAvailable, number(m.Available()), k.Pool, k.Addr)
	state(ch, upProbes, k, m.Health(), balancer.Checking, balancer.Up, balancer.Down, balancer.Draining)
	state(ch, upBreaker, k, m.Breaker(), balancer.Closed, balancer.HalfOpen, balancer.Open)
	state(ch, upOperator, k, m.Operator(), balancer.Ready, balancer.Drain, balancer.Off)
	if l := m.Lifecycle(); l != balancer.Serving {
		gauge(ch, upLifecycle, 1, k.Pool, k.Addr, l.String())
	}
	gauge(ch, upResting, number(m.Resting()), k.Pool, k.Addr)
	gauge(ch, upTrusted, number(m.Trusted()), k.Pool, k.Addr)
	gauge(ch, upInFlight, m.InFlight(), k.Pool, k.Addr)
	gauge(ch, upLatency, m.Latency().Seconds(), k.Pool, k.Addr)
	gauge(ch, upIdle, proxy.IdleConns(m.Upstream), k.Pool, k.Addr)
	gauge(ch, upWeight, m.Weight, k.Pool, k.Addr)
	collectTunnels(ch, m)
}

// collectTunnels sends nothing for an upstream without tunnels.
func collectTunnels(ch chan<- metric, m *balancer.Member) {
	t, k := proxy.TunnelsOf(m.Upstream), m.Key()
	if t.Opened == 0 {
		return
	}
	gauge(ch, upTunnels, t.Open, k.Pool, k.Addr)
	count(ch, upTunnelsOpened, t.Opened, k.Pool, k.Addr)
	for _, end := range proxy.TunnelEnds() {
		count(ch, upTunnelsEnded, t.Ended[end], k.Pool, k.Addr, end.String())
	}
	count(ch, upTunnelBytes, t.ToUpstream, k.Pool, k.Addr, "upstream")
	count(ch, upTunnelBytes, t.ToClient, k.Pool, k.Addr, "client")
}

// prune removes upstreams that have been gone for long.
func (c *poolCollector) prune(present map[upstreamKey]bool, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.metrics.requests.upstreams.keys() {
		since, gone := c.gone[k]
		switch {
		case present[k]:
			delete(c.gone, k)
		case !gone:
			c.gone[k] = now
		case now.Sub(since) >= goneFor:
			delete(c.gone, k)
			c.metrics.requests.forget(k)
		}
	}
}

func gauge[N int | float64](ch chan<- metric, d *desc, v N, labels ...string) {
	ch <- gaugeOf(d, float64(v), labels...)
}

func count(ch chan<- metric, d *desc, v int64, labels ...string) {
	ch <- counterOf(d, float64(v), labels...)
}

// state sends one series for each possible state of an upstream.
func state[S interface {
	comparable
	String() string
}](ch chan<- metric, d *desc, k upstreamKey, now S, all ...S) {
	for _, s := range all {
		gauge(ch, d, number(s == now), k.Pool, k.Addr, s.String())
	}
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

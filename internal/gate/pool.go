package gate

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/health"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/discovery"
	"github.com/goodgate/goodgate/internal/metrics"
	"github.com/goodgate/goodgate/proxy"
)

// pool is a proxy's pool with what keeps it up to date.
type pool struct {
	*proxy.Pool
	log     *slog.Logger
	counts  *metrics.Metrics // nil = off
	source  discovery.Source
	checker *health.Checker // nil when nothing is probed
	suspect atomic.Bool     // the log has said that the health check may be wrong
}

func newPool(name string, c config.Pool, g *Gate) (*pool, error) {
	p := &pool{log: g.log.With("pool", name), counts: g.counts}
	tlsConfig, err := newTLS(c.TLS)
	if err != nil {
		return nil, err
	}
	if p.source, err = newSource(c); err != nil {
		return nil, err
	}
	if p.checker, err = newChecker(c, tlsConfig, p.probed); err != nil {
		return nil, err
	}
	o := balancerOptions(name, c)
	o.Checked = p.checker != nil
	o.Notify = p.changed
	x := poolOptions(c)
	x.TLS = tlsConfig
	if r, ok := p.source.(discovery.Refresher); ok {
		x.Unreachable = r.Refresh
	}
	p.Pool, err = proxy.NewPool(o, x)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// run keeps the pool up to date until ctx ends.
func (p *pool) run(ctx context.Context) {
	var wg sync.WaitGroup
	if p.checker != nil {
		wg.Go(func() { p.checker.Run(ctx) })
	}
	err := p.source.Run(ctx, discovery.Sink{Update: p.update, Report: p.sourceFailed})
	if err != nil {
		p.sourceFailed(err)
	}
	wg.Wait()
}

// update takes a new set of upstreams.
func (p *pool) update(targets []discovery.Target) {
	p.SetMissing(proxy.None)
	p.Update(specs(targets))
	members := p.Members()
	if p.checker != nil {
		upstreams := make([]*balancer.Upstream, len(members))
		for i := range members {
			upstreams[i] = members[i].Upstream
		}
		p.checker.Watch(upstreams)
	}
	p.log.Info("upstreams found", "count", len(members))
}

func specs(targets []discovery.Target) []balancer.Spec {
	list := make([]balancer.Spec, len(targets))
	for i, t := range targets {
		list[i] = balancer.Spec{Addr: t.Addr, Name: t.Name, TLS: t.TLS, Weight: t.Weight, Tier: t.Tier, MaxInFlight: t.MaxInFlight}
	}
	return list
}

// sourceFailed notes that the upstreams could not be looked up. The last good
// set stays.
func (p *pool) sourceFailed(err error) {
	if err == nil {
		p.log.Info("upstreams can be looked up again")
		return
	}
	p.log.Warn("upstreams could not be looked up; those known before are kept", "error", err.Error(), "count", len(p.Members()))
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		reason := proxy.DNSError
		if dns.IsTimeout {
			reason = proxy.DNSTimeout
		}
		p.SetMissing(reason)
	}
}

// changed tells that an upstream became available or unavailable.
func (p *pool) changed(c balancer.Change) {
	if p.counts != nil {
		p.counts.Changed(c)
	}
	u := c.Upstream
	level, message := slog.LevelInfo, "upstream available"
	if !c.Available {
		level, message = slog.LevelWarn, "upstream unavailable"
	}
	p.log.Log(context.Background(), level, message,
		"upstream", u.Addr(), "left", c.Left,
		"probes", u.Health().String(), "breaker", u.Breaker().String(), "operator", u.Operator().String(), "resting", u.Resting())
}

// probed logs a change of the probes' verdict with what the probe found.
func (p *pool) probed(e health.Event) {
	p.suspectProbes(e)
	switch {
	case !e.Flipped:
	case e.Verdict == balancer.Draining:
		p.log.Info("upstream drains", "upstream", e.Upstream.Addr(), "cause", e.Err.Error())
	case e.Err == nil:
		p.log.Info("probes pass", "upstream", e.Upstream.Addr())
	default:
		p.log.Warn("probes fail", "upstream", e.Upstream.Addr(), "error", e.Err.Error())
	}
}

// suspectProbes warns once when no upstream passes its probes but this one
// answers. That need not come with a change of the verdict: a server that
// restarts is down before its first probe fails.
func (p *pool) suspectProbes(e health.Event) {
	switch {
	case e.Verdict == balancer.Up:
		p.suspect.Store(false)
	case e.Verdict == balancer.Draining: // it says so itself
	case e.Err != nil && e.Upstream.Trusted() && p.suspect.CompareAndSwap(false, true):
		p.log.Warn("no upstream passes its probes, but this one answers: it still gets requests. Is the health check right?",
			"upstream", e.Upstream.Addr(), "error", e.Err.Error())
	}
}

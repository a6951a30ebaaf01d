package gate

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/health"
	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/assemble"
	"github.com/goodgate/goodgate/internal/changes"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/discovery"
	"github.com/goodgate/goodgate/internal/metrics"
	"github.com/goodgate/goodgate/internal/situation"
	"github.com/goodgate/goodgate/proxy"
)

// pool is a proxy's pool with the parts that keep it up to date. It exists as long as its
// name is configured; a reload replaces its parts.
type pool struct {
	name    string
	log     *slog.Logger
	counts  *metrics.Metrics // nil = off
	events  *events          // of the gate
	journal *admin.Journal
	fleet   *inFleet     // nil = this instance is alone
	kept    *health.Kept // shared by all pools
	parts   atomic.Pointer[parts]
	suspect atomic.Bool // the log has warned that the health check may be wrong

	usable   chan struct{} // closes when a member is available for the first time
	atFirst  sync.Once     // closes usable
	book     *changes.Book // of the gate
	members  members
	extras   extras
	findings findings
	own      func() []config.Listener // of the gate
	lost     lost                     // error of the last lookup
	closing  sync.Mutex               // held while an operator's order closes or opens the pool
	watch    sync.Mutex               // held while the checker gets the members, so that the latest set arrives last
	checksOf checksOf
}

// parts are everything that one configuration of a pool makes. They are immutable.
type parts struct {
	config  config.Pool
	zone    balancer.ZoneOptions
	tls     *assemble.Trust
	sticky  *proxy.Sticky
	limits  *proxy.Limits
	live    *proxy.Pool
	feed    *feed
	checker *checker // nil without health checks
	agents  *agents  // nil when there are none
}

// checker is a running health.Checker.
type checker struct {
	*health.Checker
	prober     health.Prober
	thresholds balancer.Thresholds
	task       *task
}

func newPool(name string, c config.Pool, zone balancer.ZoneOptions, g *Gate) (*pool, error) {
	p := &pool{name: name, log: g.log.With("pool", name), counts: g.opts.Metrics, events: g.events, journal: g.journal, kept: g.probeConns, book: g.changes, own: g.listeners, fleet: g.fleet, usable: make(chan struct{})}
	next, err := p.plan(c, zone)
	if err != nil {
		return nil, err
	}
	p.parts.Store(next)
	g.applyClosure(p)
	return p, nil
}

// live returns the pool under the present configuration.
func (p *pool) live() *proxy.Pool { return p.parts.Load().live }

// plan builds the parts for a configuration, and changes nothing. It reuses the present
// parts whose settings stay the same.
func (p *pool) plan(c config.Pool, zone balancer.ZoneOptions) (next *parts, err error) {
	old := p.parts.Load()
	if old == nil {
		old = &parts{}
	}
	next = &parts{config: c, zone: zone, feed: old.feed, checker: old.checker, agents: old.agents, sticky: old.sticky, limits: old.limits}
	if !reflect.DeepEqual(c.Health.Agent, old.config.Health.Agent) || c.Health.From != old.config.Health.From || c.Health.Timeout != old.config.Health.Timeout {
		next.agents = newAgents(c.Health)
	}
	if next.tls, err = assemble.NewTrust(c.TLS, old.tls); err != nil {
		return nil, err
	}
	if old.live != nil && reflect.DeepEqual(c, old.config) && reflect.DeepEqual(zone, old.zone) && next.tls == old.tls && c.Maintenance == nil {
		return old, nil
	}
	if old.feed == nil || !reflect.DeepEqual(c.Upstreams, old.config.Upstreams) || c.DNS != old.config.DNS {
		if next.feed, err = newFeed(c, old.feed); err != nil {
			return nil, err
		}
	}
	if old.live == nil || !reflect.DeepEqual(c.Health, old.config.Health) || c.Protocol != old.config.Protocol || c.ProxyProtocol != old.config.ProxyProtocol || next.tls != old.tls {
		if next.checker, err = p.newChecker(c, next.tls.Config); err != nil {
			return nil, err
		}
	}
	if old.sticky == nil || c.Sticky != old.config.Sticky {
		next.sticky = assemble.Sticky(c.Sticky) // otherwise clients keep their upstreams, even if the secret was random
	}
	if !reflect.DeepEqual(c.Limits, old.config.Limits) {
		next.limits = nil // otherwise the limits keep their counts
	}
	b, o := p.options(next)
	if o.Maintenance, err = assemble.Maintenance(c.Maintenance); err != nil {
		return nil, err
	}
	if old.live != nil {
		next.live, err = old.live.With(b, o)
	} else {
		next.live, err = proxy.NewPool(b, o)
	}
	return next, err
}

// newChecker returns the health checker of the upstreams, nil without health checks.
func (p *pool) newChecker(c config.Pool, t *tls.Config) (*checker, error) {
	o, err := assemble.Health(c, t)
	if err != nil || o.Prober == nil {
		return nil, err
	}
	o.Met, o.Report, o.Kept, o.Needed = p.met, p.probed, p.kept, p.lends
	if p.fleet != nil {
		o.Elsewhere = p.fleet.probes.elsewhere
	}
	return &checker{Checker: health.NewChecker(o), prober: o.Prober, thresholds: o.Thresholds}, nil
}

func (p *pool) options(next *parts) (balancer.Options, proxy.PoolOptions) {
	b := assemble.Balancer(p.name, next.config)
	b.Checked = next.checker != nil
	b.Zone = next.zone
	b.Notify = p.changed
	b.Tell = p.found
	o := assemble.Pool(next.config)
	if next.config.Policy == "sticky" {
		o.Sticky = next.sticky
	}
	if next.limits == nil {
		p.fleet.share("pool "+p.name, next.config.Limits, o.Limits)
		next.limits = o.Limits
	}
	o.Limits = next.limits
	o.TLS = next.tls.Config
	o.Unreachable = func() { p.refresh(next.feed) }
	return b, o
}

// start starts looking up and checking the upstreams, until ctx ends.
func (p *pool) start(ctx context.Context) {
	next := p.parts.Load()
	p.startChecker(ctx, next)
	p.startFeed(ctx, next)
	p.startAgents(ctx, next)
	p.startExtras(ctx)
}

func (p *pool) startChecker(ctx context.Context, next *parts) {
	if next.checker != nil {
		next.checker.task = begin(ctx, next.checker.Run)
	}
}

func (p *pool) startFeed(ctx context.Context, next *parts) {
	next.feed.task = begin(ctx, func(ctx context.Context) {
		err := next.feed.Run(ctx, discovery.Sink{Update: p.update, Report: p.sourceFailed})
		if err != nil {
			p.sourceFailed(err)
		}
	})
}

// adopt installs parts that were planned on the present ones, and waits for the replaced
// ones to end.
func (p *pool) adopt(ctx context.Context, next *parts) {
	old := p.parts.Load()
	if next == old {
		return
	}
	if old.checker != next.checker && old.checker != nil {
		old.checker.task.stop() // before it can judge an upstream that is no longer checked
	}
	if old.feed != next.feed {
		old.feed.task.stop()
	}
	if old.agents != next.agents {
		old.agents.stop()
	}
	p.parts.Store(next)
	next.live.Adopt()
	if old.feed != next.feed {
		p.succeed(next.feed)
	}
	p.apply()
	if old.checker != next.checker {
		p.startChecker(ctx, next)
		p.watchMembers()
	}
	if old.feed != next.feed {
		p.startFeed(ctx, next)
	}
	if old.agents != next.agents {
		p.startAgents(ctx, next)
	}
}

// stop ends the work of start, and waits for it.
func (p *pool) stop() {
	p.stopExtras()
	last := p.parts.Load()
	p.fleet.watch(p, nil, nil)
	last.feed.task.stop()
	last.agents.stop()
	if last.checker != nil {
		last.checker.task.stop()
	}
}

// update replaces the set of upstreams.
func (p *pool) update(targets []discovery.Target) {
	live := p.live()
	live.SetMissing(reason.None)
	p.take(targets)
	p.watchMembers()
	members := live.Members()
	p.findings.keep(members)
	p.noteUsable()
	p.log.Info("upstreams found", "count", len(members))
	for _, d := range doubts(p.own(), p.parts.Load().config.DNS, targets) {
		p.log.Warn(d)
	}
}

// noteUsable records when a member is available for the first time.
func (p *pool) noteUsable() {
	members := p.live().Members()
	for i := range members {
		if members[i].Available() {
			p.atFirst.Do(func() { close(p.usable) })
		}
	}
}

// watchMembers makes the checker probe the present members.
func (p *pool) watchMembers() {
	joined := p.watchPresent()
	p.seed(joined)
	p.borrowAgents()
	for _, b := range p.checksOf.borrowers() {
		b.watchMembers()
	}
}

// watchPresent passes the present members to the checker. It returns those that take the
// verdicts of another pool from now on.
func (p *pool) watchPresent() (joined []*balancer.Upstream) {
	p.watch.Lock()
	defer p.watch.Unlock()
	present := p.parts.Load()
	if present.checker == nil {
		p.borrow(nil)
		p.fleet.watch(p, nil, nil)
		return nil
	}
	upstreams := present.live.Upstreams()
	own, joined := p.borrow(upstreams)
	present.checker.Watch(own)
	p.follow(joined)
	if present.config.Health.From != "" { // the other pool's checks are shared
		p.fleet.watch(p, nil, nil)
	} else {
		p.fleet.watch(p, present.checker, upstreams)
	}
	return joined
}

// sourceFailed records the result of a lookup; nil = it works again. After a failure the
// last good set stays. If only one address family failed, that is no failure: requests
// use the other family.
func (p *pool) sourceFailed(err error) {
	if _, ok := errors.AsType[*discovery.Partial](err); ok {
		p.lost.set(nil)
		p.log.Warn("addresses of one family could not be looked up; the other family stays in use", "error", err.Error())
		return
	}
	p.lost.set(err)
	p.journal.LookedUp(p.name, err)
	if err == nil {
		p.log.Info("upstreams can be looked up again")
		return
	}
	if n := len(p.live().Members()); n > 0 {
		p.log.Warn("upstreams could not be looked up; the known addresses stay in use", "error", err.Error(), "count", n)
	} else {
		p.log.Warn("upstreams could not be looked up; none is known yet", "error", err.Error())
	}
	if r := missing(err); r != reason.None {
		p.live().SetMissing(r)
	}
}

// changed reports that an upstream became available or unavailable.
func (p *pool) changed(c balancer.Change) {
	if p.counts != nil {
		p.counts.Changed(c)
	}
	p.journal.Changed(c)
	u := c.Upstream
	row := p.situation(u)
	p.events.changed(c, row)
	p.fleet.hint(c)
	level, message := slog.LevelInfo, "upstream available"
	if c.Available {
		p.atFirst.Do(func() { close(p.usable) })
	} else {
		level, message = slog.LevelWarn, "upstream unavailable"
	}
	attrs := []any{"upstream", u.Addr(), "left", c.Left,
		"probes", u.Health().String(), "breaker", u.Breaker().String(), "operator", u.Operator().String()}
	if u.Resting() {
		attrs = append(attrs, "resting", true)
	}
	if !c.Available {
		attrs = append(attrs, "cause", row.Headline)
		if row.Reason != reason.None {
			attrs = append(attrs, "reason", row.Reason.String())
		}
		if u.Health() == balancer.Down && !u.RefusedLive() {
			if met := p.findings.of(u.Addr()); met.Error != "" {
				attrs = append(attrs, "error", met.Error)
			}
		}
	}
	if c.Early {
		attrs = append(attrs, "why", "no other upstream is left: the breaker lets a trial through early")
	}
	p.log.Log(context.Background(), level, message, attrs...)
}

// met records the result of a health check, before it changes the verdict.
func (p *pool) met(e health.Event) { p.findings.note(e, "", time.Now()) }

// situation describes the state of an upstream.
func (p *pool) situation(u *balancer.Upstream) situation.Row {
	met := p.findings.of(u.Addr())
	id, status := situation.OfState(u, met.Err())
	return situation.Of(id).With(situation.Facts{Pool: p.name, Upstream: u.Addr(), Name: u.Name(), Error: met.Error, Status: status})
}

// probed handles the result of a health check.
func (p *pool) probed(e health.Event) {
	p.judged(e)
	if p.fleet != nil {
		p.fleet.probes.tell(e)
	}
	p.lend(e)
}

// judged logs a changed verdict of the health check, with the result of the check.
func (p *pool) judged(e health.Event) {
	p.journal.Probed(e)
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

// suspectProbes warns once when no upstream passes its health check but this one answers
// the probes. This can happen without a changed verdict: an upstream that restarts is
// down before its first probe fails.
func (p *pool) suspectProbes(e health.Event) {
	switch {
	case e.Verdict == balancer.Up:
		p.suspect.Store(false)
	case e.Verdict == balancer.Draining: // the upstream says so itself
	case e.Err != nil && e.Upstream.Trusted() && p.suspect.CompareAndSwap(false, true):
		p.log.Warn("no upstream passes its probes, but this one answers requests: it stays in use. Check the health check",
			"upstream", e.Upstream.Addr(), "error", e.Err.Error())
	}
}

// found logs the result of a comparison of the upstreams.
func (p *pool) found(f balancer.Finding) {
	p.journal.Found(p.name, f)
	switch {
	case f.Kind == balancer.Alike && f.Over:
		p.log.Info("upstreams no longer fail alike")
	case f.Kind == balancer.Alike:
		p.log.Warn("most upstreams fail alike: goodgate ejects none. Check what they share", "failing", int(f.Own), "of", int(f.Others))
	case f.Kind == balancer.FailsMore:
		p.log.Warn("upstream fails more than the others: its breaker may open",
			"upstream", f.Upstream.Addr(), "failures", percent(f.Own), "others", percent(f.Others))
	case f.Over:
		p.log.Info("upstream is no longer slow, or is tried again", "upstream", f.Upstream.Addr())
	default:
		p.log.Warn("upstream is slower than the others: it gets fewer requests",
			"upstream", f.Upstream.Addr(), "takes", rounded(f.Own), "others", rounded(f.Others))
	}
}

func percent(share float64) string { return fmt.Sprintf("%.1f%%", 100*share) }

func rounded(nanoseconds float64) string {
	return time.Duration(nanoseconds).Round(100 * time.Microsecond).String()
}

//go:build !minimal

package gate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/assemble"
	"github.com/goodgate/goodgate/internal/changes"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/deploy"
)

// deploys is the engine that replaces versions of applications.
type deploys = deploy.Engine

// deployEndpoints returns the endpoints of deploys for the description of the API.
func deployEndpoints() []admin.Endpoint { return deploy.New(deploy.Options{}).Endpoints(nil) }

// newDeploys returns the engine of deploys, not yet running.
func (g *Gate) newDeploys() *deploys {
	return deploy.New(deploy.Options{
		Book: g.changes,
		Find: func(name string) (deploy.Pool, bool) {
			return deployed{g, name}, g.current.Load().pools[name] != nil
		},
		Pools: func() []string { return slices.Sorted(maps.Keys(g.current.Load().pools)) },
		Tell:  g.tellDeploy,
	})
}

// tellDeploy passes an event of a deploy to the log and the webhook.
func (g *Gate) tellDeploy(pool string, e deploy.Event) {
	level := slog.LevelInfo
	if e.Bad {
		level = slog.LevelWarn
	}
	g.log.Log(context.Background(), level, "deploy", "pool", pool, "stage", e.Stage.String(), "text", e.Text)
	g.journal.Deployed(pool, e.Text)
}

// deployed is a pool as a deploy sees it. It holds the name only, because a reload
// replaces the pool itself.
type deployed struct {
	gate *Gate
	name string
}

// pool returns the pool, nil once it is no longer configured.
func (d deployed) pool() *pool { return d.gate.current.Load().pools[d.name] }

var errNoPool = errors.New("the pool is no longer configured")

// Check implements [deploy.Pool]. It refuses a pool whose deploy another instance leads.
// It also refuses pools that find their upstreams by DNS or from a file: the next lookup
// would put the old version beside the new one, against the deploy.
func (d deployed) Check() error {
	p := d.pool()
	if p == nil {
		return errNoPool
	}
	if led := d.gate.fleet.led(d.name); led != "" {
		return fmt.Errorf("a deploy to pool %s is in progress, %s: use that instance", d.name, led)
	}
	for i, u := range p.parts.Load().config.Upstreams {
		if u.URL == "" {
			return fmt.Errorf("pool %s finds its upstreams (pools.%s.upstreams[%d]) outside of the file, so a deploy cannot replace them: deploy with that source's tools, or list the upstreams by url", d.name, d.name, i)
		}
	}
	return nil
}

// Lookup implements [deploy.Pool].
func (d deployed) Lookup(url string) (origin string, err error) {
	u, err := addedUpstream(changes.Change{Subject: changes.Subject{Upstream: url}})
	if p := d.pool(); err == nil && p != nil {
		err = p.fits(u, d.gate.current.Load().config)
	}
	return keyOf(u), err
}

// Members implements [deploy.Pool].
func (d deployed) Members() []deploy.Member {
	p := d.pool()
	if p == nil {
		return nil
	}
	members := p.live().Members()
	list := make([]deploy.Member, len(members))
	for i := range members {
		m := &members[i]
		list[i] = deploy.Member{Origin: m.Origin(), Addr: m.Addr(), Tier: m.Tier, Ready: m.Available(), InFlight: m.InFlight()}
		list[i].Waiting, list[i].Waits = m.Unanswered()
		if !list[i].Ready {
			list[i].Why = p.situation(m.Upstream).Headline
		}
	}
	return list
}

// KeepsClients implements [deploy.Pool].
func (d deployed) KeepsClients() bool {
	p := d.pool()
	return p != nil && (p.live().Policy() == "hash" || p.live().Policy() == "sticky")
}

// Introduce implements [deploy.Pool].
func (d deployed) Introduce(in *balancer.Introduction) {
	if p := d.pool(); p != nil {
		p.live().Introduce(in)
	}
	d.gate.fleet.introduce(d.name, in)
}

// byDeploy is the reason of the changes that a deploy makes. Operators' own changes have
// other reasons, and a deploy leaves them alone.
const byDeploy = "a step of the deploy"

// Stand implements [deploy.Pool]. It records changes, so that a next process starts with
// the same pool.
func (d deployed) Stand(origin, url string, member, drained bool, by string) error {
	p := d.pool()
	if p == nil {
		return nil
	}
	said := p.said()
	_, _, known := p.entryOf(origin)
	is := known && !said.removed[origin]
	order := func(kind changes.Kind, upstream, value string) error {
		_, err := d.gate.Order(changes.Change{Subject: changes.Subject{Kind: kind, Pool: d.name, Upstream: upstream}, Value: json.RawMessage(value), By: by, Why: byDeploy})
		return err
	}
	switch {
	case member && !is && url != "":
		return order(changes.Added, url, p.alike())
	case member && !is: // an operator or the file has removed it since
		return nil
	case !member && is:
		return errors.Join(order(changes.Removed, origin, ""), d.forget(p, origin, by))
	case !member:
		return d.forget(p, origin, by)
	}
	var errs []error
	for _, u := range p.live().Upstreams() {
		state := said.states[u.Addr()]
		switch {
		case u.Origin() != origin:
		case drained && state == balancer.Ready:
			errs = append(errs, order(changes.State, u.Addr(), `"drain"`))
		case !drained && state == balancer.Drain && d.drained(u.Addr()):
			errs = append(errs, order(changes.State, u.Addr(), `"ready"`))
		}
	}
	return errors.Join(errs...)
}

// drained reports whether a deploy has drained an upstream.
func (d deployed) drained(addr string) bool {
	c, ok := d.gate.changes.Find(changes.Subject{Kind: changes.State, Pool: d.name, Upstream: addr})
	return ok && c.Why == byDeploy
}

// alike returns the value of a change that adds an upstream similar to those of the
// pool's first tier: with their lowest limit of concurrent requests, if each has one, and
// with their weight, if they have the same.
func (p *pool) alike() string {
	members := p.live().Members() // in order of tier
	if len(members) == 0 {
		return ""
	}
	like := added{Weight: members[0].Weight, Tier: members[0].Tier}
	like.MaxInFlight, like.MaxScope = capOf(&members[0])
	for i := range members {
		m := &members[i]
		most, scope := capOf(m)
		switch {
		case m.Introduced() || m.Tier != like.Tier:
			continue
		case most < like.MaxInFlight:
			like.MaxInFlight, like.MaxScope = most, scope
		}
		if m.Weight != like.Weight {
			like.Weight = 1
		}
	}
	value, err := json.Marshal(like)
	if err != nil {
		return ""
	}
	return string(value)
}

// capOf returns how many concurrent requests a member gets, and whether that is the limit
// of the whole fleet.
func capOf(m *balancer.Member) (most int, scope string) {
	if n := m.FleetMax(); n > 0 {
		return n, "fleet"
	}
	return m.MaxInFlight, ""
}

// forget ends all changes of the state of an upstream that was removed.
func (d deployed) forget(p *pool, origin, by string) error {
	var errs []error
	for _, c := range d.gate.changes.All() {
		if c.Kind == changes.State && c.Pool == d.name && (c.Upstream == origin || c.Base == origin) {
			errs = append(errs, d.gate.takeBack(c.Subject, by, "the upstream was removed"))
		}
	}
	return errors.Join(errs...)
}

// warmTimeout bounds connecting for a warm-up request.
const warmTimeout = 5 * time.Second

// Ask implements [deploy.Pool]. It works like a health check, with another path and
// another expected answer.
func (d deployed) Ask(ctx context.Context, origin, path string) error {
	p := d.pool()
	if p == nil {
		return errNoPool
	}
	parts := p.parts.Load()
	c := parts.config
	if c.Health.Type != "http" {
		c.Health = config.Health{}
	}
	c.Health.Type, c.Health.Method, c.Health.Path, c.Health.Timeout, c.Health.Retries = "http", http.MethodGet, path, warmTimeout, 0
	c.Health.Port, c.Health.Scheme = 0, "upstream"
	c.Health.Expect, c.Health.DrainStatus = config.Expect{Status: config.Statuses{{From: 100, To: 499}}}, nil
	o, err := assemble.Health(c, parts.tls.Config)
	if err != nil {
		return err
	}
	asked := false
	for _, u := range parts.live.Upstreams() {
		if u.Origin() != origin {
			continue
		}
		asked = true
		if err := o.Prober.Probe(ctx, u); err != nil {
			return err
		}
	}
	if !asked {
		return fmt.Errorf("%s is not an upstream of the pool", origin)
	}
	return nil
}

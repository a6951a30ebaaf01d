//go:build !minimal

package gate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/assemble"
	"github.com/goodgate/goodgate/internal/changes"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/deploy"
)

// deploys replace versions of applications by new ones.
type deploys = deploy.Engine

// deployEndpoints are those of the API.
func deployEndpoints() []admin.Endpoint { return deploy.New(deploy.Options{}).Endpoints(nil) }

// newDeploys returns the engine of deploys, which is not running yet.
func (g *Gate) newDeploys() *deploys {
	return deploy.New(deploy.Options{
		Book: g.changes,
		Find: func(name string) (deploy.Pool, bool) {
			return deployed{g, name}, g.current.Load().pools[name] != nil
		},
		Tell: g.tellDeploy,
	})
}

// tellDeploy is told of each event of a deploy.
func (g *Gate) tellDeploy(pool string, e deploy.Event) {
	level := slog.LevelInfo
	if e.Bad {
		level = slog.LevelWarn
	}
	g.log.Log(context.Background(), level, "deploy", "pool", pool, "stage", e.Stage.String(), "text", e.Text)
	g.journal.Deployed(pool, e.Text)
}

// deployed is a pool as a deploy sees it: by its name, since a reload replaces what stands
// behind it.
type deployed struct {
	gate *Gate
	name string
}

// pool returns nil once the pool is no longer configured.
func (d deployed) pool() *pool { return d.gate.current.Load().pools[d.name] }

var errNoPool = errors.New("the pool is no longer configured")

// Check implements [deploy.Pool]. Whoever finds its upstreams somewhere has them changed
// there: what is found next would stand beside the new version, whatever a deploy says.
func (d deployed) Check() error {
	p := d.pool()
	if p == nil {
		return errNoPool
	}
	if led := d.gate.fleet.led(d.name); led != "" {
		return fmt.Errorf("a deploy to pool %s is under way, %s: order it there", d.name, led)
	}
	for i, u := range p.parts.Load().config.Upstreams {
		if u.URL == "" {
			return fmt.Errorf("pool %s finds its upstreams (pools.%s.upstreams[%d]) elsewhere than in the file, so that a deploy cannot say who they are: deploy there, or name the upstreams by url", d.name, d.name, i)
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

// byDeploy is the reason of the changes that a deploy makes. What operators have said
// themselves of an upstream has another, and a deploy leaves it as it is.
const byDeploy = "a step of the deploy"

// Stand implements [deploy.Pool]: by changes, so that the next process finds the pool as it
// is to be.
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
	case member && !is: // an operator, or the file, has taken it out since
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

// drained reports whether it was a deploy that has drained an upstream.
func (d deployed) drained(addr string) bool {
	c, ok := d.gate.changes.Find(changes.Subject{Kind: changes.State, Pool: d.name, Upstream: addr})
	return ok && c.Why == byDeploy
}

// alike is the value of a change that adds an upstream like those of the pool's first tier:
// with their limit of requests at once, the lowest where each has one, and with their
// weight, where it is the same.
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

// capOf returns how many requests at once a member gets, and of whom.
func capOf(m *balancer.Member) (most int, scope string) {
	if n := m.FleetMax(); n > 0 {
		return n, "fleet"
	}
	return m.MaxInFlight, ""
}

// forget takes back what was said of the state of upstreams that have left.
func (d deployed) forget(p *pool, origin, by string) error {
	var errs []error
	for _, c := range d.gate.changes.All() {
		if c.Kind == changes.State && c.Pool == d.name && (c.Upstream == origin || c.Base == origin) {
			errs = append(errs, d.gate.takeBack(c.Subject, by, "the upstream was removed"))
		}
	}
	return errors.Join(errs...)
}

// warmTimeout is of a connection for a warm-up request.
const warmTimeout = 5 * time.Second

// Ask implements [deploy.Pool]: as a health check asks, but for the path, and for what is
// expected.
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
		return fmt.Errorf("%s is no upstream of the pool", origin)
	}
	return nil
}

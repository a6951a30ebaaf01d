package gate

import (
	"fmt"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/changes"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/situation"
	"github.com/goodgate/goodgate/proxy"
)

// control is the gate as the operator's API sees it.
type control struct{ gate *Gate }

func (c control) Pools() []*proxy.Pool           { return c.gate.Pools() }
func (c control) ConfigState() admin.ConfigState { return c.gate.ConfigState() }
func (c control) Config() []byte                 { return config.Dump(c.gate.current.Load().config) }
func (c control) Draining() bool                 { return c.gate.draining.Load() }

// situation describes the state of an upstream.
func (g *Gate) situation(u *balancer.Upstream) situation.Row {
	if p := g.current.Load().pools[u.Key().Pool]; p != nil {
		return p.situation(u)
	}
	return situation.Of(situation.Healthy)
}

func (c control) LastCheck(k balancer.Key) admin.Check {
	if p := c.gate.current.Load().pools[k.Pool]; p != nil {
		return p.findings.of(k.Addr)
	}
	return admin.Check{}
}

func (c control) Weight(k balancer.Key) (weight, percent int) {
	if p := c.gate.current.Load().pools[k.Pool]; p != nil {
		l := p.parts.Load().agents.share(k.Addr)
		return l.weight, l.percent
	}
	return 0, 0
}

func (c control) Certificates() map[string]time.Time { return c.gate.certificates() }

func (c control) OutOfFiles() (last time.Time, limit uint64) {
	if at := c.gate.fdShortage.last.Load(); at != 0 {
		last = time.Unix(0, at)
	}
	return last, maxFiles()
}

func (c control) Crowds() []admin.Crowd { return c.gate.fdShortage.crowds.list() }

func (c control) SourceError(pool string) (string, reason.Reason) {
	if p := c.gate.current.Load().pools[pool]; p != nil {
		return p.lost.get()
	}
	return "", reason.None
}

func (c control) Sources(pool string) []admin.Source { return c.gate.sources(pool) }

// sources returns the state of each source of a pool's upstreams.
func (g *Gate) sources(pool string) []admin.Source {
	if p := g.current.Load().pools[pool]; p != nil {
		return p.parts.Load().feed.sources()
	}
	return nil
}

func (c control) Found(pool string) bool {
	p := c.gate.current.Load().pools[pool]
	if p == nil {
		return false
	}
	select {
	case <-p.parts.Load().feed.Answered():
		return true
	default:
		return false
	}
}

func (c control) Close(ch changes.Change, page []byte) (changes.Change, error) {
	return c.gate.Close(ch, page)
}

func (c control) Reopen(s changes.Subject, by, why string) (bool, error) {
	return c.gate.Reopen(s, by, why)
}

func (c control) ConfigHistory() []admin.ConfigVersion      { return c.gate.ConfigHistory() }
func (c control) ConfigVersion(n int) ([]byte, error)       { return c.gate.ConfigVersion(n) }
func (c control) ConfigDiff(from, to int) ([]string, error) { return c.gate.ConfigDiff(from, to) }
func (c control) Rollback(n int, by string) ([]string, error) {
	changes, err := c.gate.Rollback(n, by)
	return texts(changes), err
}

func (c control) Closure(pool string) admin.Closure { return c.gate.closureOf(pool) }

func (c control) Reload(cause string) ([]string, error) {
	changes, err := c.gate.Reread(cause)
	return texts(changes), err
}

func (c control) Drain(cause string) { c.gate.Shutdown(fmt.Errorf("asked by the %s", cause)) }

func (c control) Order(ch changes.Change) (changes.Change, error) { return c.gate.Order(ch) }

func texts(changes []config.Change) []string {
	list := make([]string, len(changes))
	for i, c := range changes {
		list[i] = c.String()
	}
	return list
}

// Shutdown makes Run drain and return, like the end of its context. It does not wait.
func (g *Gate) Shutdown(cause error) { g.leave(cause) }

func (c control) Purged(p admin.Purge, done admin.Purged, by, why string) {
	what := p.Host + p.Path
	switch {
	case p.Prefix:
		what += " and below"
	case what == "":
		what = "everything"
	}
	c.gate.log.Info("cache purged", "what", what, "pools", done.Pools, "resources", done.Resources, "by", by, "why", why)
	for _, pool := range done.Pools {
		c.gate.journal.Purged(pool, fmt.Sprintf("%s, by %s", what, by))
	}
}

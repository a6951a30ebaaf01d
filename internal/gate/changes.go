package gate

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/changes"
	"github.com/goodgate/goodgate/internal/config"
)

// stateFile is the name of the state file in the folder that systemd provides.
const stateFile = "state.json"

// Changes returns the book of the operators' changes. It is safe for concurrent use.
func (g *Gate) Changes() *changes.Book { return g.changes }

// openChanges opens the book, with the changes that operators ordered earlier.
func (g *Gate) openChanges(c *config.Config, left known) {
	file := g.stateFile(c)
	g.changes = changes.Open(changes.Options{File: file, Log: g.log, Inherit: left.Changes})
	g.pages = newPageStore(file, left.Pages)
	g.configs = openConfigHistory(file, g.log)
	g.overrule(c)
	g.changes.Follow(g.followChange)
	g.changes.Follow(g.followClosures)
}

func (g *Gate) stateFile(c *config.Config) string {
	if c.State.File == "" && g.opts.StateDir != "" {
		return filepath.Join(g.opts.StateDir, stateFile)
	}
	return c.State.File
}

// followChange applies a change of an upstream. Other parts of the gate follow the other
// kinds of changes.
func (g *Gate) followChange(e changes.Event) {
	switch e.Change.Kind {
	case changes.Added, changes.Removed, changes.State, changes.Weight:
		present := g.current.Load()
		if present == nil || present.pools[e.Change.Pool] == nil {
			return
		}
		present.pools[e.Change.Pool].apply()
		if e.Change.Kind == changes.Added && e.What != changes.Put {
			g.overrule(present.config) // the changes of the removed upstream
		}
	}
}

// overrule ends the changes that conflict with a configuration: their subject is no
// longer in it, or the configuration has changed for this subject since they were made.
// Call it without g.mu, because followers may lock it.
func (g *Gate) overrule(c *config.Config) {
	for _, ch := range overruledBy(c, g.changes.All()) {
		g.changes.Overrule(ch.ID, ch.why) // an error means that it has ended already
	}
}

// overruledBy returns the changes in all that conflict with a configuration.
func overruledBy(c *config.Config, all []changes.Change) (lost []overruled) {
	for name, p := range c.Pools {
		_, of := saidOf(name, p, all)
		lost = append(lost, of...)
	}
	for _, ch := range all {
		_, pool := c.Pools[ch.Pool]
		switch {
		case ch.Pool != "" && !pool:
			lost = append(lost, overruled{ch, "the file has no pool " + ch.Pool})
		case ch.Route != "" && !slices.ContainsFunc(c.Routes, func(r config.Route) bool { return r.Name == ch.Route }):
			lost = append(lost, overruled{ch, "the file has no route " + ch.Route})
		}
	}
	return lost
}

// Order records a change about an upstream, together with the configuration's present
// value, and applies the change before it returns. If the file already says the same,
// Order ends the existing change instead, and returns an empty ID.
func (g *Gate) Order(c changes.Change) (changes.Change, error) {
	present := g.current.Load()
	p := present.pools[c.Pool]
	if p == nil {
		return c, unfit(404, "", "pool %s is not configured", c.Pool)
	}
	defer p.apply()
	if c.Kind == changes.Added {
		return g.add(p, present.config, c)
	}
	u, fromFile, ok := p.entryOf(c.Upstream)
	if !ok {
		return c, unfit(409, "", "no entry of the configuration has found %s of pool %s", c.Upstream, c.Pool)
	}
	var check said
	check.init()
	if err := check.take(c); err != nil {
		return c, fmt.Errorf("%w: %w", changes.ErrInvalid, err)
	}
	c.Base = base(c.Kind, u)
	switch {
	case c.Kind == changes.Removed && !fromFile:
		return g.takeBackAdded(c, u)
	case c.Kind == changes.State && check.states[c.Upstream] == balancer.Ready,
		c.Kind == changes.Weight && check.weights[c.Upstream] == u.Weight:
		return c, g.takeBack(c.Subject, c.By, c.Why)
	}
	c, err := g.changes.Put(c)
	if err == nil && c.Kind == changes.Removed {
		for _, kind := range []changes.Kind{changes.State, changes.Weight} {
			err = errors.Join(err, g.takeBack(changes.Subject{Kind: kind, Pool: c.Pool, Upstream: c.Upstream}, c.By, "the upstream was removed"))
		}
	}
	return c, err
}

// takeBack ends the change of a subject, if there is one.
func (g *Gate) takeBack(s changes.Subject, by, why string) error {
	c, ok := g.changes.Find(s)
	if !ok {
		return nil
	}
	_, err := g.changes.TakeBack(c.ID, by, why)
	if errors.Is(err, changes.ErrUnknown) {
		return nil // somebody else has ended it
	}
	return err
}

// takeBackAdded removes an upstream that an operator has added.
func (g *Gate) takeBackAdded(c changes.Change, u config.Upstream) (changes.Change, error) {
	for _, other := range g.changes.All() {
		if added, err := addedUpstream(other); other.Kind == changes.Added && other.Pool == c.Pool && err == nil && keyOf(added) == keyOf(u) {
			return c, g.takeBack(other.Subject, c.By, c.Why)
		}
	}
	return c, nil
}

// add adds an upstream to a pool, or restores one that was removed.
func (g *Gate) add(p *pool, c *config.Config, ch changes.Change) (changes.Change, error) {
	u, err := addedUpstream(ch)
	if err != nil {
		return ch, fmt.Errorf("%w: %w", changes.ErrInvalid, err)
	}
	if err := p.fits(u, c); err != nil {
		return ch, fmt.Errorf("%w: %w", changes.ErrInvalid, err)
	}
	w := p.said()
	if w.removed[keyOf(u)] {
		return ch, g.takeBack(changes.Subject{Kind: changes.Removed, Pool: ch.Pool, Upstream: keyOf(u)}, ch.By, cmp.Or(ch.Why, "it was added again"))
	}
	if has := p.has(u); has != "" {
		return ch, unfit(409, admin.Exists, "pool %s has %s already, %s: nothing was added", p.name, keyOf(u), has)
	}
	ch.Upstream, ch.Base = u.URL, ""
	if ch.Value, err = json.Marshal(addedOf(u)); err != nil {
		return ch, err
	}
	ch, err = g.changes.Put(ch)
	if err == nil {
		p.followExtras()
		p.awaitAdded()
	}
	return ch, err
}

// fits returns the reason that an upstream cannot be added to the pool; nil if it can.
func (p *pool) fits(u config.Upstream, c *config.Config) error {
	if at := config.OwnListener(c.Listeners, u.URL); at >= 0 {
		return fmt.Errorf("%s is goodgate's own listener (listeners[%d])", u.URL, at)
	}
	if p.parts.Load().config.Protocol == "h2c" && strings.HasPrefix(u.URL, "https:") {
		return fmt.Errorf("pools.%s.protocol is h2c, which is HTTP/2 without TLS, and %s has TLS", p.name, u.URL)
	}
	return nil
}

// has describes the origin of an upstream that the pool already has; empty when it has
// none.
func (p *pool) has(u config.Upstream) string {
	_, fromFile, ok := p.entryOf(keyOf(u))
	switch {
	case ok && fromFile:
		return "from its configuration"
	case ok:
		return "added by an operator"
	}
	return ""
}

// entryOf returns the entry that an upstream comes from, found by the upstream's address
// or by the name and port of the entry, and whether the entry is in the file.
func (p *pool) entryOf(address string) (u config.Upstream, fromFile, ok bool) {
	of := p.parts.Load()
	for _, u := range of.config.Upstreams {
		if keyOf(u) == address {
			return u, true, true
		}
	}
	for _, u := range p.said().added {
		if keyOf(u) == address {
			return u, false, true
		}
	}
	if u, ok := of.feed.entryOf(address); ok {
		return u, true, true
	}
	p.extras.mu.Lock()
	defer p.extras.mu.Unlock()
	if p.extras.feed != nil {
		u, ok = p.extras.feed.entryOf(address)
	}
	return u, false, ok
}

func unfit(status int, code, format string, args ...any) error {
	return &admin.Unfit{Status: status, Code: code, Text: fmt.Sprintf(format, args...)}
}

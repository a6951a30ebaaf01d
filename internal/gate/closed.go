package gate

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/changes"
	"github.com/goodgate/goodgate/proxy"
)

// errNoSuchPool means that an order names a pool that is not configured.
var errNoSuchPool = errors.New("there is no such pool")

// Close pauses a pool, or puts it into maintenance with a page, before it returns.
func (g *Gate) Close(c changes.Change, page []byte) (changes.Change, error) {
	p := g.current.Load().pools[c.Pool]
	if p == nil {
		return c, fmt.Errorf("%w: %s", errNoSuchPool, c.Pool)
	}
	if page != nil {
		if err := g.pages.put(page); err != nil {
			return c, err
		}
	}
	c, err := g.changes.Put(c)
	g.applyClosure(p)
	g.pages.keep(g.changes.All())
	return c, err
}

// Reopen ends a pause or a maintenance, and reports whether there was one.
func (g *Gate) Reopen(s changes.Subject, by, why string) (bool, error) {
	p := g.current.Load().pools[s.Pool]
	if p == nil {
		return false, fmt.Errorf("%w: %s", errNoSuchPool, s.Pool)
	}
	defer g.applyClosure(p)
	c, ok := g.changes.Find(s)
	if !ok {
		return false, nil
	}
	_, err := g.changes.TakeBack(c.ID, by, why)
	if errors.Is(err, changes.ErrUnknown) {
		return false, nil // it has just expired
	}
	return err == nil, err
}

// followClosures applies pauses and maintenances when they begin and end, and records them.
func (g *Gate) followClosures(e changes.Event) {
	if k := e.Change.Kind; k != changes.Pause && k != changes.Maintenance {
		return
	}
	if present := g.current.Load(); present != nil && present.pools[e.Change.Pool] != nil {
		g.applyClosure(present.pools[e.Change.Pool])
	}
	g.journal.Closed(e)
	if e.What != changes.Put {
		g.pages.keep(g.changes.All())
	}
}

// applyClosure applies the book's orders to a pool.
func (g *Gate) applyClosure(p *pool) {
	p.closing.Lock()
	defer p.closing.Unlock()
	live := p.live()
	if c, ok := g.changes.Find(changes.Subject{Kind: changes.Pause, Pool: p.name}); ok {
		var terms admin.PauseTerms
		if err := json.Unmarshal(c.Value, &terms); err != nil {
			p.log.Error("stored pause is damaged", "id", c.ID, "error", err.Error())
		}
		live.Pause(balancer.Pause{Until: c.Until, Max: time.Duration(terms.Max), WaitLimits: balancer.WaitLimits{Requests: terms.MaxRequests, Body: terms.MaxBody}})
	} else {
		live.Resume()
	}
	c, ok := g.changes.Find(changes.Subject{Kind: changes.Maintenance, Pool: p.name})
	if !ok {
		live.ClearMaintenance()
		return
	}
	m, err := g.maintenance(c)
	if err != nil {
		p.log.Error("maintenance differs from the order", "id", c.ID, "error", err.Error())
	}
	live.SetMaintenance(m)
}

// maintenance returns the maintenance that a change orders, nil if the change ends it. If
// a part cannot be read, maintenance omits this part and returns an error.
func (g *Gate) maintenance(c changes.Change) (*proxy.Maintenance, error) {
	var terms admin.MaintenanceTerms
	if err := json.Unmarshal(c.Value, &terms); err != nil {
		return new(proxy.Maintenance), err
	}
	if terms.Off {
		return nil, nil
	}
	m := &proxy.Maintenance{ContentType: terms.ContentType, RetryAfter: time.Duration(terms.RetryAfter)}
	var errs []error
	if terms.Page != "" {
		page, err := g.pages.get(terms.Page)
		m.Page = page
		errs = append(errs, err)
	}
	for _, text := range terms.Clients {
		prefix, err := netip.ParsePrefix(text)
		if err == nil {
			m.Clients = append(m.Clients, prefix)
		}
		errs = append(errs, err)
	}
	for _, pass := range terms.Passes {
		p := proxy.Pass{Of: proxy.FromHeader, Name: pass.Name}
		if pass.Of == admin.PassCookie {
			p.Of = proxy.FromCookie
		}
		sum, err := hex.DecodeString(pass.SHA256)
		if err == nil && len(sum) != sha256.Size {
			err = fmt.Errorf("the hash of %s has %d bytes", pass.Name, len(sum))
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		p.Sum = [sha256.Size]byte(sum)
		m.Passes = append(m.Passes, p)
	}
	return m, errors.Join(errs...)
}

// closureOf returns the pause or maintenance in force for a pool.
func (g *Gate) closureOf(name string) (c admin.Closure) {
	p := g.current.Load().pools[name]
	if p == nil {
		return c
	}
	if ch, ok := g.changes.Find(changes.Subject{Kind: changes.Pause, Pool: name}); ok && p.live().Paused() != nil {
		c.Pause = &ch
	}
	ch, ordered := g.changes.Find(changes.Subject{Kind: changes.Maintenance, Pool: name})
	switch m := p.live().Maintained(); {
	case m == nil:
	case ordered:
		c.Maintenance = &ch
	default:
		c.Maintenance = &changes.Change{Subject: changes.Subject{Kind: changes.Maintenance, Pool: name}, By: "configuration"}
	}
	return c
}

// isPageName reports whether a text is the name of a page, and not a path to another
// file.
func isPageName(name string) bool {
	return len(name) == 2*sha256.Size && strings.Trim(name, "0123456789abcdef") == ""
}

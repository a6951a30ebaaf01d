package gate

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"time"

	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/proxy"
)

// observers returns the options of a plan's proxy: they report requests to the log, and
// to the metrics and traces that are on.
func (g *Gate) observers(next *plan) proxy.Options {
	access := g.opts.Access
	if access == nil {
		access = proxy.Log(g.log)
	}
	p := proxy.Options{Observe: []func(*proxy.Record){access, g.ring.Observe, g.deploys.Observe, g.fdShortage.observe, observeResets}, Reread: g.usersChanged}
	if g.memory != nil {
		p.Refuse = g.memory.Short
	}
	shown := next.config.Admin.Address != "" // without an API nobody can ask
	if g.counts != nil && (shown || next.pushes != nil) {
		p.Observe = append(p.Observe, g.counts.Observe)
	}
	if shown {
		p.Observe = append(p.Observe, g.tally.Observe, g.journal.Observe)
	}
	p.Observe = append(p.Observe, g.opts.Observe...)
	if next.traces != nil {
		p.Trace = next.traces.Tracer
	}
	return p
}

// usersChanged logs that a file of users was read again.
func (g *Gate) usersChanged(file string, err error) {
	if err != nil {
		g.log.Error("users not reloaded; the last good ones stay in use", "file", file, "error", err)
		return
	}
	g.log.Info("users reloaded", "file", file)
}

// certificates returns the expiry of each listener's certificates, by certificate.
func (g *Gate) certificates() map[string]time.Time {
	all := map[string]time.Time{}
	for _, s := range g.current.Load().servers {
		if s.certs != nil {
			maps.Copy(all, s.certs.Expiry())
		}
		if s.issuer != nil {
			maps.Copy(all, s.issuer.manager.Expiry())
		}
	}
	return all
}

// fingerprint returns a hash that distinguishes effective configurations. It covers no
// secrets, so that it reveals nothing about them.
func fingerprint(c *config.Config) string {
	sum := sha256.Sum256(config.Dump(c))
	return hex.EncodeToString(sum[:6])
}

package gate

import (
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"maps"
	"time"

	"github.com/goodgate/goodgate/internal/assemble"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/tracing"
	"github.com/goodgate/goodgate/proxy"
)

// observers returns the options of a proxy whose requests are told to the log,
// and to the metrics and traces that are on.
func (g *Gate) observers(c *config.Config) proxy.Options {
	access := g.opts.Access
	if access == nil {
		access = proxy.Log(g.log)
	}
	p := proxy.Options{Observe: []func(*proxy.Record){access, g.ring.Observe, g.fdShortage.observe, observeResets}}
	if g.memory != nil {
		p.Refuse = g.memory.Short
	}
	if g.counts != nil {
		p.Observe = append(p.Observe, g.counts.Observe)
	}
	if c.Admin.Address != "" {
		p.Observe = append(p.Observe, g.tally.Observe, g.journal.Observe)
	}
	p.Observe = append(p.Observe, g.opts.Observe...)
	if g.traces != nil {
		p.Trace = g.traces
	}
	return p
}

// certificates tells until when each certificate of a listener is good.
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

// fingerprint tells effective configurations apart. Secrets are not in it, so
// that it gives nothing of them away.
func fingerprint(c *config.Config) string {
	sum := sha256.Sum256(config.Dump(c))
	return hex.EncodeToString(sum[:6])
}

// newTracer returns nil when tracing is off.
func newTracer(c config.Tracing, o Options, log *slog.Logger) *tracing.Tracer {
	if c.Endpoint == "" {
		return nil
	}
	return tracing.New(assemble.Tracing(c, o.Version, log))
}

package gate

import (
	"log/slog"

	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/tracing"
	"github.com/goodgate/goodgate/proxy"
)

// observers returns the options of a proxy whose requests are told to the log,
// and to the metrics and traces that are on.
func (g *Gate) observers(o Options) proxy.Options {
	access := o.Access
	if access == nil {
		access = proxy.Log(g.log)
	}
	p := proxy.Options{Observe: []func(*proxy.Record){access, g.ring.Observe}}
	if g.counts != nil {
		p.Observe = append(p.Observe, g.counts.Observe)
	}
	p.Observe = append(p.Observe, o.Observe...)
	if g.traces != nil {
		p.Trace = g.traces
	}
	return p
}

// newTracer returns nil when tracing is off.
func newTracer(c config.Tracing, o Options, log *slog.Logger) *tracing.Tracer {
	if c.Endpoint == "" {
		return nil
	}
	return tracing.New(tracingOptions(c, o.Version, log))
}

func tracingOptions(c config.Tracing, version string, log *slog.Logger) tracing.Options {
	return tracing.Options{Endpoint: c.Endpoint, Headers: c.Headers, Sample: float64(c.Sample), Service: c.Service, Version: version, Logger: log}
}

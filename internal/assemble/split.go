package assemble

import (
	"github.com/goodgate/goodgate/internal/split"
	"github.com/goodgate/goodgate/internal/verdict"
	"slices"

	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/proxy"
)

// newSplit returns a split with the file's weights. The caller may replace them by those
// in force.
func newSplit(all *config.Config, c *config.Split, pools map[string]*proxy.Pool) *proxy.Split {
	s := &proxy.Split{Spill: c.Spill, Weights: proxy.NewWeights(Weights(c))}
	for _, p := range c.Pools {
		s.Sides = append(s.Sides, proxy.Side{Pool: pools[p.Pool], Fallback: newFallback(all.Pools[p.Pool].Fallback, pools)})
	}
	for _, by := range c.By {
		switch by {
		case "cookie":
			s.Cookie = &proxy.SplitCookie{Name: c.Cookie, TTL: c.CookieTTL}
		case "request":
		default:
			s.By = append(s.By, hashOn(by))
		}
	}
	if o := c.Override; o.Header != "" || o.Cookie != "" {
		s.Override = &proxy.Override{Header: o.Header, Cookie: o.Cookie, Clients: slices.Clone(o.Clients)}
	}
	return s
}

// Split returns the options for judging a route's split while goodgate runs.
func Split(r config.Route) split.Options {
	c := r.Split
	o := split.Options{
		Route: r.Name, Pools: r.Pools(), Weights: Weights(c),
		Guard: c.Guard.Enabled, Enough: c.Guard.MinRequests, Grace: c.Guard.Grace,
		Tolerate: verdict.Options{Errors: float64(c.Guard.Errors), Latency: float64(c.Guard.Latency)},
	}
	for _, step := range c.Schedule {
		side := len(o.Pools) - 1
		if step.Pool != "" {
			side = slices.Index(o.Pools, step.Pool)
		}
		o.Schedule = append(o.Schedule, split.Step{After: step.After, Side: side, Share: float64(step.Share)})
	}
	return o
}

// Weights returns the weights of a split in the file, in the order of its pools.
func Weights(c *config.Split) []float64 {
	weights := make([]float64, len(c.Pools))
	for i, p := range c.Pools {
		weights[i] = float64(p.Weight)
	}
	return weights
}

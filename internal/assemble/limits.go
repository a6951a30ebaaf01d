package assemble

import (
	"cmp"

	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/proxy"
)

// Limits returns new limits, without counts; nil if all requests are admitted.
func Limits(c config.Limits) *proxy.Limits {
	if len(c.Rates) == 0 && c.MaxRequests == 0 && c.MaxBody == 0 {
		return nil
	}
	l := &proxy.Limits{Requests: c.MaxRequests, MaxBody: int64(c.MaxBody)}
	for _, r := range c.Rates {
		l.Rates = append(l.Rates, proxy.NewRate(proxy.Rate{
			Name:      r.Name,
			On:        rateKey(r),
			PerSecond: float64(r.Requests) / r.Per.Seconds(),
			Burst:     cmp.Or(r.Burst, r.Requests),
			MaxKeys:   r.MaxKeys,
			DryRun:    r.DryRun,
		}))
	}
	return l
}

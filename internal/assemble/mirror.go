package assemble

import (
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/proxy"
)

// newMirror returns a mirror, nil for a route without one. The caller sets its Work.
func newMirror(c *config.Mirror, pools map[string]*proxy.Pool) *proxy.Mirror {
	if c == nil {
		return nil
	}
	return &proxy.Mirror{
		Pool: pools[c.Pool], Share: float64(c.Share), Methods: append([]string{}, c.Methods...), MaxBody: int64(c.MaxBody), Timeout: c.Timeout, Headers: c.Compare,
	}
}

// MirrorLimits returns the limits of a mirror.
func MirrorLimits(c *config.Mirror) proxy.MirrorLimits {
	return proxy.MirrorLimits{Requests: c.MaxConcurrent, Memory: int64(c.MaxMemory), PerSecond: float64(c.Rate)}
}

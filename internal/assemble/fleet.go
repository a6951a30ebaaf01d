package assemble

import (
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/fleet"
	"github.com/goodgate/goodgate/internal/fleet/redis"
	"github.com/goodgate/goodgate/proxy"
)

// Fleet returns this instance's part in the configured fleet. version is the program's,
// zone is the instance's, and hash identifies the configuration. An error is about a file
// of fleet.tls.
func Fleet(c config.Fleet, version, zone, hash string, log *slog.Logger) (*fleet.Fleet, error) {
	o := redis.Options{
		Addresses: c.Addresses, Master: c.Sentinel.Master, Cluster: c.Cluster, Database: c.Database,
		Username: c.Username, Password: string(c.Password),
		SentinelUsername: c.Sentinel.Username, SentinelPassword: string(c.Sentinel.Password),
		Prefix: c.Prefix, Name: c.Name,
	}
	if c.TLS != nil {
		trust, err := NewTrust(*c.TLS, nil)
		if err != nil {
			return nil, fmt.Errorf("fleet.%w", err)
		}
		o.TLS = trust.Config
	}
	engine, err := redis.Open(o)
	if err != nil {
		return nil, fmt.Errorf("fleet: %w", err)
	}
	name := c.Instance
	if name == "" {
		if name, err = os.Hostname(); err != nil {
			name = "unknown"
		}
	}
	return fleet.New(fleet.Options{
		Engine: engine, Secret: []byte(c.Secret), Log: log,
		Member: fleet.Member{Name: name, Zone: zone, Version: version, Config: hash},
	})
}

// ShareRates makes rate limits with the scope fleet count in all instances together.
// place identifies the limits in the configuration, equally on all instances. f may be
// nil.
func ShareRates(f *fleet.Fleet, place string, c config.Limits, l *proxy.Limits) {
	for i, r := range c.Rates {
		if f == nil || r.Scope != "fleet" || l.Rates[i].Shared() {
			continue
		}
		own := l.Rates[i]
		what := fmt.Sprintf("%s %s %s %d/%s %d", place, r.Name, strings.Join(r.On, ""), r.Requests, r.Per, own.Burst)
		rate := f.NewRate(fleet.RateOptions{Place: what, PerSecond: own.PerSecond, Burst: own.Burst, MaxKeys: r.MaxKeys, Exact: r.Exact})
		own.Share(rate, sharedKey(r, f.Hash))
	}
}

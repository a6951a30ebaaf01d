package assemble

import (
	"crypto/tls"
	"net/http"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/health"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/proxy"
)

// Health returns how the upstreams of a pool are probed; t says how those reached
// by TLS are trusted. The Prober is nil when nothing is probed. An error says what
// no probe can ask for.
func Health(pool config.Pool, t *tls.Config) (health.Options, error) {
	c := pool.Health
	if c.Type == "none" {
		return health.Options{}, nil
	}
	p, err := prober(pool, t)
	if err != nil {
		return health.Options{}, err
	}
	jitter := float64(c.Jitter)
	if jitter == 0 {
		jitter = -1 // 0 is the checker's default
	}
	return health.Options{
		Prober: p, Interval: c.Interval, FastInterval: c.FastInterval, Timeout: c.Timeout, Jitter: jitter,
		Thresholds: balancer.Thresholds{Rise: c.Rise, Fall: c.Fall},
	}, nil
}

// prober returns what probes any upstream of a pool, with TLS or without as
// the upstream is reached.
func prober(pool config.Pool, t *tls.Config) (health.Prober, error) {
	c, preface := pool.Health, proxyProtocol(pool.ProxyProtocol).Local()
	switch c.Type {
	case "http":
		o := health.HTTPOptions{
			Method:  c.Method,
			Path:    c.Path,
			Host:    c.Host,
			Header:  http.Header{},
			Body:    c.Expect.Body,
			MaxBody: int64(c.Expect.MaxBody),
			TLS:     t,
			Preface: preface,
			Retries: c.Retries,
			HTTP2:   protocol(pool.Protocol) == proxy.HTTP2,
		}
		for name, v := range c.Headers {
			o.Header.Set(name, v)
		}
		for _, s := range c.Expect.Status {
			o.Statuses = append(o.Statuses, health.StatusRange(s))
		}
		for _, s := range c.DrainStatus {
			o.Drain = append(o.Drain, health.StatusRange(s))
		}
		return health.NewHTTP(o)
	case "grpc":
		return health.NewGRPC(health.GRPCOptions{Service: c.Service, Host: c.Host, TLS: t, Preface: preface}), nil
	case "tcp":
		return health.TCP{TLS: t, Preface: preface}, nil
	}
	spoken := protocol(pool.Protocol)
	return health.NewAlive(health.AliveOptions{TLS: t, Preface: preface, HTTP2: spoken == proxy.HTTP2, Auto: spoken == proxy.Auto}), nil
}

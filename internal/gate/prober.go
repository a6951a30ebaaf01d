package gate

import (
	"crypto/tls"
	"net/http"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/health"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/proxy"
)

// checker is a health.Checker that runs.
type checker struct {
	*health.Checker
	task *task
}

// newChecker returns what probes a pool's upstreams, nil when nothing does. It
// completes what the options leave open.
func newChecker(pool config.Pool, t *tls.Config, o health.Options) (*checker, error) {
	c := pool.Health
	if c.Type == "none" {
		return nil, nil
	}
	prober, err := newProber(pool, t)
	if err != nil {
		return nil, err
	}
	jitter := float64(c.Jitter)
	if jitter == 0 {
		jitter = -1 // 0 is the checker's default
	}
	o.Prober, o.Interval, o.FastInterval, o.Timeout, o.Jitter = prober, c.Interval, c.FastInterval, c.Timeout, jitter
	o.Thresholds = balancer.Thresholds{Rise: c.Rise, Fall: c.Fall}
	return &checker{Checker: health.NewChecker(o)}, nil
}

// newProber returns what probes any upstream of a pool, with TLS or without as
// the upstream is reached.
func newProber(pool config.Pool, t *tls.Config) (health.Prober, error) {
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
	}
	return health.TCP{TLS: t, Preface: preface}, nil
}

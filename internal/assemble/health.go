package assemble

import (
	"crypto/tls"
	"maps"
	"net/http"
	"regexp"
	"slices"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/health"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/proxy"
)

// Health returns the health check of a pool; t verifies upstreams reached by TLS. The
// Prober is nil without a check. An error is about a request that no probe can make.
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
		jitter = -1 // 0 would mean the checker's default
	}
	return health.Options{
		Prober: p, Interval: c.Interval, FastInterval: c.FastInterval, Timeout: c.Timeout, Jitter: jitter,
		Thresholds: balancer.Thresholds{Rise: c.Rise, Fall: c.Fall},
	}, nil
}

// prober returns the prober for all upstreams of a pool, with and without TLS.
func prober(pool config.Pool, t *tls.Config) (health.Prober, error) {
	c, preface := pool.Health, proxyProtocol(pool.ProxyProtocol).Local()
	switch c.Type {
	case "http":
		o := httpCheck(pool)
		o.TLS, o.Preface = t, preface
		return health.NewHTTP(o)
	case "grpc":
		return health.NewGRPC(health.GRPCOptions{Service: c.Service, Host: c.Host, TLS: t, Preface: preface, Target: checkTarget(c)}), nil
	case "tcp":
		return health.TCP{TLS: t, Preface: preface, Target: checkTarget(c), Steps: steps(c.Steps), MaxData: int64(c.Expect.MaxBody)}, nil
	}
	spoken := protocol(pool.Protocol)
	return health.NewAlive(health.AliveOptions{TLS: t, Preface: preface, HTTP2: spoken == proxy.HTTP2, Auto: spoken == proxy.Auto}), nil
}

// httpCheck returns the http check of a pool, without its transport. Another port means
// another server, which may only speak HTTP/1.1.
func httpCheck(pool config.Pool) health.HTTPOptions {
	c := pool.Health
	o := health.HTTPOptions{
		Method:  c.Method,
		Path:    c.Path,
		Host:    c.Host,
		Header:  http.Header{},
		Body:    c.Expect.Body,
		JSON:    c.Expect.JSON,
		MaxBody: int64(c.Expect.MaxBody),
		Retries: c.Retries,
		Target:  checkTarget(c),
		HTTP2:   protocol(pool.Protocol) == proxy.HTTP2 && c.Port == 0,
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
	for _, name := range slices.Sorted(maps.Keys(c.Expect.Headers)) {
		v := c.Expect.Headers[name]
		if v == "*" {
			v = ""
		}
		o.Fields = append(o.Fields, health.FieldExpect{Name: name, Value: v})
	}
	for _, name := range slices.Sorted(maps.Keys(c.Expect.HeaderRegexp)) {
		o.Fields = append(o.Fields, health.FieldExpect{Name: name, Regexp: regexp.MustCompile(c.Expect.HeaderRegexp[name])})
	}
	if c.Expect.BodyRegexp != "" {
		o.Regexp = regexp.MustCompile(c.Expect.BodyRegexp)
	}
	return o
}

func checkTarget(c config.Health) health.Target {
	t := health.Target{Port: c.Port}
	switch c.Scheme {
	case "http":
		t.TLS = new(false)
	case "https":
		t.TLS = new(true)
	}
	return t
}

func steps(list []config.Step) []health.Step {
	var all []health.Step
	for _, s := range list {
		var step health.Step
		step.Send, _ = config.StepBytes(s.Send) // the configuration has checked it
		step.Expect, _ = config.StepBytes(s.Expect)
		if s.ExpectRegexp != "" {
			step.Regexp = regexp.MustCompile(s.ExpectRegexp)
		}
		all = append(all, step)
	}
	return all
}

package assemble

import (
	"net/http"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/proxy"
)

// Balancer returns the options of balancing and outlier detection of a pool. It leaves
// out whether its upstreams are checked, and the callbacks.
func Balancer(name string, c config.Pool) balancer.Options {
	return balancer.Options{
		Name:          name,
		Policy:        c.Policy,
		HashLoad:      float64(c.Hash.Load),
		MaxEjected:    float64(c.Breaker.MaxEjected),
		SlowStart:     c.SlowStart,
		Overprovision: float64(c.Overprovision),
		Adaptive: balancer.AdaptiveOptions{
			Enabled: c.Concurrency.Adaptive == "true",
			Min:     c.Concurrency.Min,
			Max:     c.Concurrency.Max,
			Start:   c.Concurrency.Start,
		},
		Protect: c.Concurrency.Adaptive == config.AdaptiveAuto,
		Outlier: balancer.OutlierOptions{
			Enabled:      c.Outlier.Enabled,
			MinRequests:  c.Outlier.MinRequests,
			FailureRatio: float64(c.Outlier.FailureRatio),
			SlowFactor:   float64(c.Outlier.SlowFactor),
			SlowBy:       c.Outlier.SlowBy,
		},
		Breaker: balancer.BreakerOptions{
			Enabled:      c.Breaker.Enabled,
			Consecutive:  c.Breaker.Consecutive,
			FailureRatio: float64(c.Breaker.FailureRatio),
			MinRequests:  c.Breaker.MinRequests,
			Window:       c.Breaker.Window,
			OpenFor:      c.Breaker.OpenFor,
			MaxOpenFor:   c.Breaker.MaxOpenFor,
		},
	}
}

// Pool returns the options for sending requests to a pool's upstreams. It leaves out the
// timeout of the whole request, which routes have, and TLS and Sticky, which outlive a
// change of the configuration. Its Limits have no counts yet.
func Pool(c config.Pool) proxy.PoolOptions {
	o := proxy.PoolOptions{
		Protocol:      protocol(c.Protocol),
		ProxyProtocol: proxyProtocol(c.ProxyProtocol),
		Tunnel:        proxy.Tunnel{Idle: c.Timeouts.TunnelIdle, Lifetime: c.Timeouts.TunnelLifetime},
		MaxIdleConns:  idleConns(c),
		DrainHeader:   c.DrainHeader,
		ConnRequests:  c.ConnRequests,
		Failures:      append([]int{}, statuses(c.Breaker.Statuses)...), // an empty list means none, nil the default
		Timeouts: proxy.Timeouts{
			Dial:           c.Timeouts.Dial,
			TLS:            c.Timeouts.TLS,
			ResponseHeader: c.Timeouts.ResponseHeader,
			Idle:           c.Timeouts.Idle,
			KeepAlive:      c.Timeouts.Keepalive,
			Age:            c.Timeouts.Age,
			Ping:           c.Timeouts.Ping,
		},
		Retry: proxy.Retry{
			Attempts:   c.Retry.Attempts,
			PerTry:     c.Retry.PerTry,
			Statuses:   statuses(c.Retry.Statuses),
			Budget:     float64(c.Retry.Budget),
			BudgetMin:  float64(c.Retry.BudgetMin),
			MaxBody:    int64(c.Retry.MaxBody),
			Backoff:    c.Retry.Backoff,
			MaxBackoff: c.Retry.MaxBackoff,
			Hedge:      hedge(c.Retry.Hedge),
		},
		Hold:   proxy.Hold{For: c.Hold.For, MaxRequests: c.Hold.MaxRequests, MaxBody: int64(c.Hold.MaxBody)},
		Limits: Limits(c.Limits),
		Queue:  proxy.Queue{MaxRequests: c.Queue.MaxRequests, MaxWait: c.Queue.MaxWait},
		Commit: proxy.Commit{Buffer: int64(c.Commit.Buffer), Resume: c.Commit.Resume},
		Stale:  kept(c),
	}
	if c.Policy == "hash" {
		o.HashOn = hashOn(c.Hash.On...)
	}
	return o
}

// kept returns the options of the one store that stale and cache share.
func kept(c config.Pool) proxy.Stale {
	s := proxy.Stale{MaxSize: int64(c.Stale.MaxSize), IfError: c.Stale.IfError}
	if c.Cache.Enabled {
		s.Hits, s.Wait, s.MaxSize = true, c.Cache.Wait, max(s.MaxSize, int64(c.Cache.MaxSize))
	}
	return s
}

// lateShare is the default share of answers after which a request is late.
const lateShare = 0.95

func hedge(c config.Hedge) proxy.Hedge {
	h := proxy.Hedge{
		Quantile:   c.After.Share,
		After:      c.After.Time,
		MinDelay:   c.MinDelay,
		Budget:     float64(c.Budget),
		OnEvidence: c.After.Auto,
	}
	if c.After.Auto {
		h.Quantile = lateShare
	}
	return h
}

// protocol returns the protocol for upstreams. h2c is h2 without TLS.
func protocol(name string) proxy.Protocol {
	switch name {
	case "h2", "h2c":
		return proxy.HTTP2
	case "auto":
		return proxy.Auto
	}
	return proxy.HTTP1
}

func proxyProtocol(name string) proxy.ProxyProtocol {
	switch name {
	case "v1":
		return proxy.ProxyV1
	case "v2":
		return proxy.ProxyV2
	}
	return 0
}

// idleConns distinguishes zero from the default.
func idleConns(c config.Pool) int {
	if c.MaxIdleConns == 0 || c.Timeouts.Keepalive == 0 {
		return -1
	}
	return c.MaxIdleConns
}

func statuses(ranges config.Statuses) []int {
	var list []int
	for _, r := range ranges {
		for s := r.From; s <= r.To; s++ {
			list = append(list, s)
		}
	}
	return list
}

// Sticky returns the options of sticky sessions. Without a secret each call makes a
// random one.
func Sticky(c config.Sticky) *proxy.Sticky {
	s := proxy.Sticky{Cookie: c.Cookie, Secret: []byte(c.Secret), TTL: c.TTL, Domain: c.Domain, Path: c.Path, Partitioned: c.Partitioned}
	switch c.Secure {
	case "always":
		s.Secure = new(true)
	case "never":
		s.Secure = new(false)
	}
	switch c.SameSite {
	case "strict":
		s.SameSite = http.SameSiteStrictMode
	case "none":
		s.SameSite = http.SameSiteNoneMode
	default:
		s.SameSite = http.SameSiteLaxMode
	}
	return proxy.NewSticky(s)
}

package balancer

// Code generated from the defaults of the configuration file by TestDefaults in
// internal/assemble. DO NOT EDIT.

import (
	"time"
)

// DefaultOptions returns the options that a pool without settings has in goodgate's
// configuration file: the policy peak_ewma, a circuit breaker, outlier detection, slow
// start, and a concurrency limit while the pool is overloaded. The caller may change the
// value.
func DefaultOptions(name string) Options {
	return Options{
		Name:     name,
		Policy:   "peak_ewma",
		HashLoad: 1.25,
		Breaker: BreakerOptions{
			Enabled:      true,
			Consecutive:  5,
			FailureRatio: 0.5,
			MinRequests:  10,
			Window:       10 * time.Second,
			OpenFor:      5 * time.Second,
			MaxOpenFor:   1 * time.Minute,
		},
		Outlier: OutlierOptions{
			Enabled:      true,
			MinRequests:  20,
			FailureRatio: 0.1,
			SlowFactor:   5,
			SlowBy:       50 * time.Millisecond,
		},
		MaxEjected:    0.5,
		SlowStart:     10 * time.Second,
		Overprovision: 1.4,
		Adaptive: AdaptiveOptions{
			Min:   1,
			Max:   1000,
			Start: 10,
		},
		Protect: true,
	}
}

package balancer

// Code generated from the defaults of the configuration file by TestDefaults in
// internal/assemble. DO NOT EDIT.

import (
	"time"
)

// DefaultOptions returns what a pool of goodgate's configuration file has when it sets
// nothing: the policy peak_ewma, a breaker, a comparison of the members, a slow start, and
// limits of requests at once while the pool is overloaded. Each call returns a value of
// its own, to be changed.
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

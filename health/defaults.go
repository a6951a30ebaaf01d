package health

// Code generated from the defaults of the configuration file by TestDefaults in
// internal/assemble. DO NOT EDIT.

import (
	"time"

	"github.com/goodgate/goodgate/balancer"
)

// DefaultOptions returns the options of the health check that a pool without settings has
// in goodgate's configuration file: any answer passes ([NewAlive]). The Prober is safe for
// concurrent use, so several checkers may share the options, or changed copies of them.
func DefaultOptions() Options {
	return Options{
		Prober:       NewAlive(AliveOptions{}),
		Interval:     2 * time.Second,
		FastInterval: 250 * time.Millisecond,
		Timeout:      1 * time.Second,
		Jitter:       0.1,
		Thresholds: balancer.Thresholds{
			Rise: 2,
			Fall: 2,
		},
	}
}

//go:build !minimal

package redis_test

import (
	"fmt"
	"testing"

	"github.com/goodgate/goodgate/internal/fleet"
	"github.com/goodgate/goodgate/internal/fleet/fleettest"
	"github.com/goodgate/goodgate/internal/fleet/redis"
)

// TestRedis runs the laws against a real server.
func TestRedis(t *testing.T) {
	server := fleettest.StartRedis(t)
	n := 0
	fleettest.Run(t, false, func(t *testing.T) func() fleet.Engine {
		n++
		o := redis.Options{Addresses: []string{server.Address}, Prefix: "goodgate", Name: fmt.Sprint("law-", n)}
		return func() fleet.Engine {
			e, err := redis.Open(o)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { e.Close() })
			return e
		}
	})
}

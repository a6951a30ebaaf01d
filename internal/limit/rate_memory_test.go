package limit

import (
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/lab/heaptest"
)

// TestRatesMemory checks that the memory for keys is within the documented limit.
func TestRatesMemory(t *testing.T) {
	const keys, each = 65536, 128
	now := time.Unix(1e9, 0)
	kept := heaptest.Kept(t, func() any {
		r := NewRates(RateOptions{PerSecond: 1})
		for n := range uint64(4 * keys) {
			r.Allow(n, now)
		}
		return r
	})
	heaptest.Within(t, "keys", kept, keys*each)
}

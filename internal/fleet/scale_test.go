package fleet_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goodgate/goodgate/internal/fleet"
)

// metered is an engine that counts the work of a store.
type metered struct {
	fleet.Engine
	commands, buckets, bytes *atomic.Int64
}

// Sizes on the wire of Redis' protocol: of a command with its answer, and of a bucket in
// it.
const (
	commandBytes = 160
	bucketBytes  = 120
)

func (m metered) count(buckets, value int) {
	m.commands.Add(1)
	m.buckets.Add(int64(buckets))
	m.bytes.Add(int64(commandBytes + buckets*bucketBytes + value))
}

func (m metered) Put(ctx context.Context, table, key string, value []byte, w fleet.Write) (fleet.Entry, error) {
	m.count(0, len(value))
	return m.Engine.Put(ctx, table, key, value, w)
}

func (m metered) List(ctx context.Context, table string, known uint64) (fleet.Listing, error) {
	l, err := m.Engine.List(ctx, table, known)
	size := 0
	for _, e := range l.Entries {
		size += len(e.Key) + len(e.Value) + 40
	}
	m.count(0, size)
	return l, err
}

func (m metered) Take(ctx context.Context, uses []fleet.Use) ([]fleet.Level, error) {
	m.count(len(uses), 0)
	return m.Engine.Take(ctx, uses)
}

func (metered) Close() error { return nil }

// TestScale simulates a large fleet in which some keys take far more than they may and the
// many others little, and wants the store to have little to do and the rate to hold.
func TestScale(t *testing.T) {
	instances, keys, hot, seconds := 5, 500, 2, 30
	if os.Getenv("GOODGATE_LONG") != "" {
		instances, keys, hot, seconds = 200, 10_000, 20, 60
	}
	const rate = 100
	synctest.Test(t, func(t *testing.T) {
		var commands, buckets, bytes atomic.Int64
		m := metered{fleet.NewMemory(), &commands, &buckets, &bytes}
		var all []*instance
		for i := range instances {
			all = append(all, began(t, m, fmt.Sprint("gate-", i), secret).run(t))
		}
		time.Sleep(3 * time.Second)
		rates := limiters(all, fleet.RateOptions{Place: "r", PerSecond: rate, Burst: rate})
		commands.Store(0)
		buckets.Store(0)
		bytes.Store(0)
		requests, letHot, refused := 0, 0, 0
		rnd := rand.New(rand.NewPCG(1, 2))
		const step = 10 * time.Millisecond
		for end := time.Now().Add(time.Duration(seconds) * time.Second); time.Now().Before(end); time.Sleep(step) {
			for _, r := range rates {
				for range 5 { // 500 a second at each instance
					requests++
					if rnd.IntN(5) == 0 {
						if r.Allow(uint64(rnd.IntN(hot)), time.Now()).OK {
							letHot++
						}
					} else if !r.Allow(uint64(hot+rnd.IntN(keys)), time.Now()).OK {
						refused++
					}
				}
			}
		}
		per := func(n int64) float64 { return float64(n) / float64(seconds) }
		want := hot * (rate + rate*seconds)
		over := 100 * (float64(letHot)/float64(want) - 1)
		t.Logf("%d instances, %d keys, %d requests/s: %.0f commands/s with %.0f buckets/s, %.2f MB/s at the store; a command in %.0f requests; overshoot %+.1f%%; %d of the others refused",
			instances, keys, requests/seconds, per(commands.Load()), per(buckets.Load()), per(bytes.Load())/1e6, float64(requests)/float64(commands.Load()), over, refused)
		if over > 3 || refused > 0 {
			t.Errorf("%d let in of keys that may have %d (%+.1f%%), %d of the others refused", letHot, want, over, refused)
		}
		for _, i := range all {
			i.stop()
		}
	})
}

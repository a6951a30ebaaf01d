package fleet_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goodgate/goodgate/internal/fleet"
)

// checker is an instance that shares its results.
type checker struct {
	*instance
	probes *fleet.Probes

	mu    sync.Mutex
	found map[uint64][]fleet.Found
}

func (c *checker) of(key uint64) []fleet.Found {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.found[key]
}

func checkers(t *testing.T, m *fleet.Memory, n int) (all []*checker) {
	for i := range n {
		c := &checker{instance: began(t, skewed{Engine: m}, fmt.Sprint("gate-", i), secret), found: map[uint64][]fleet.Found{}}
		c.probes = c.NewProbes(func(list []fleet.Found) {
			c.mu.Lock()
			defer c.mu.Unlock()
			for _, f := range list {
				c.found[f.Key] = append(c.found[f.Key], f)
			}
		})
		c.probes.SetTakesPart(true)
		c.run(t)
		all = append(all, c)
	}
	time.Sleep(3 * time.Second)
	return all
}

// TestProbesPublish checks that changes are published at once, other results with the
// next message, and no results of an ended check.
func TestProbesPublish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := fleet.NewMemory()
		all := checkers(t, m, 3)
		a, b := all[0], all[1]
		const keys = 5000
		for key := range uint64(keys) {
			a.probes.Tell(fleet.Found{Key: key, Passed: true}, 2*time.Second)
		}
		time.Sleep(1100 * time.Millisecond)
		for key := range uint64(keys) {
			if got := b.of(key); len(got) != 1 || !got[0].Passed || got[0].News {
				t.Fatalf("of %d: heard %+v, want one pass that is no news", key, got)
			}
		}
		if got := a.of(1); got != nil {
			t.Errorf("it has heard itself: %+v", got)
		}
		a.probes.Tell(fleet.Found{Key: 7}, 2*time.Second)
		time.Sleep(50 * time.Millisecond)
		if got := b.of(7); len(got) != 2 || got[1].Passed || !got[1].News {
			t.Errorf("of a failure: heard %+v, want it to be news at once", got)
		}
		a.probes.Tell(fleet.Found{Key: 7}, 2*time.Second)
		time.Sleep(50 * time.Millisecond)
		if got := b.of(7); len(got) != 2 {
			t.Errorf("the same again is told at once: %+v", got)
		}
		time.Sleep(time.Second)
		if got := b.of(7); len(got) != 3 || got[2].Passed || got[2].News {
			t.Errorf("with the next message: %+v, want a failure that is no news", got)
		}
		before := len(b.of(8))
		time.Sleep(time.Minute)
		if got := len(b.of(8)) - before; got > 2 {
			t.Errorf("%d messages of what is no longer checked", got)
		}
		m.Publish(context.Background(), "probes", []byte("junk"))
		for _, c := range all {
			c.stop()
		}
	})
}

// TestDuties checks that two members check each key, that each member has about the
// same number of keys, and that only the keys of a member that leaves move.
func TestDuties(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const members, keys = 10, 3000
		all := checkers(t, fleet.NewMemory(), members)
		who := func() (by [keys][]int, each [members]int) {
			for i, c := range all {
				d := c.probes.Duties()
				for key := range uint64(keys) {
					if c.Live() > 0 && d.Mine(key*7919) {
						by[key] = append(by[key], i)
						each[i]++
					}
				}
			}
			return by, each
		}
		before, each := who()
		for i, n := range each {
			if mean := keys * fleet.Checkers / members; n < mean*3/4 || n > mean*5/4 {
				t.Errorf("%d checks %d keys, the mean is %d", i, n, mean)
			}
		}
		all[members-1].stop()
		all = all[:members-1]
		time.Sleep(3 * time.Second)
		after, _ := who()
		for key := range before {
			if len(before[key]) != fleet.Checkers || len(after[key]) != fleet.Checkers {
				t.Fatalf("%d: checked by %v, then by %v", key, before[key], after[key])
			}
			for _, i := range before[key] {
				if i != members-1 && i != after[key][0] && i != after[key][1] {
					t.Fatalf("%d: checked by %v, then by %v", key, before[key], after[key])
				}
			}
		}
		for _, c := range all {
			c.stop()
		}
	})
}

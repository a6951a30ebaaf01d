package metrics

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// cache finds values by key without a lock and without an allocation. New keys are
// under the lock until they have been looked up often enough to pay for a copy of the
// whole map: n keys cost O(n) in total, not O(n²).
type cache[K comparable, V any] struct {
	make func(K) V
	m    atomic.Pointer[map[K]V]

	mu     sync.Mutex // held by writers; protects the fields below
	recent map[K]V    // values that m does not have
	misses int        // since m was created
}

func (c *cache[K, V]) get(k K) V {
	if m := c.m.Load(); m != nil {
		if v, ok := (*m)[k]; ok {
			return v
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.known()
	v, ok := known[k]
	if !ok {
		v, ok = c.recent[k]
	}
	if !ok {
		if c.recent == nil {
			c.recent = map[K]V{}
		}
		v = c.make(k)
		c.recent[k] = v
	}
	if c.misses++; c.misses > len(known)+len(c.recent) {
		c.store(c.all())
	}
	return v
}

func (c *cache[K, V]) delete(k K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.all()
	delete(m, k)
	c.store(m)
}

// keys returns the present keys.
func (c *cache[K, V]) keys() []K {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.AppendSeq(slices.Collect(maps.Keys(c.known())), maps.Keys(c.recent))
}

// known returns the map that is read without the lock. It must not be changed. mu must
// be held.
func (c *cache[K, V]) known() map[K]V {
	if m := c.m.Load(); m != nil {
		return *m
	}
	return nil
}

// all returns a new map of all keys. mu must be held.
func (c *cache[K, V]) all() map[K]V {
	known := c.known()
	m := make(map[K]V, len(known)+len(c.recent))
	maps.Copy(m, known)
	maps.Copy(m, c.recent)
	return m
}

// store makes m the map that is read without the lock. mu must be held.
func (c *cache[K, V]) store(m map[K]V) {
	c.m.Store(&m)
	c.recent, c.misses = nil, 0
}

package metrics

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// cache finds values by key without a lock and without an allocation. New keys
// are under the lock until they have been asked for so often that a copy of the
// whole is worth it: n keys cost n steps, not the square of it.
type cache[K comparable, V any] struct {
	make func(K) V
	m    atomic.Pointer[map[K]V]

	mu     sync.Mutex // held by writers; protects the fields below
	recent map[K]V    // those that m does not have
	misses int        // since m was made
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

// keys returns the keys of this moment.
func (c *cache[K, V]) keys() []K {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.AppendSeq(slices.Collect(maps.Keys(c.known())), maps.Keys(c.recent))
}

// known returns what is found without the lock, which must not be changed.
// Called with mu held.
func (c *cache[K, V]) known() map[K]V {
	if m := c.m.Load(); m != nil {
		return *m
	}
	return nil
}

// all returns a new map of all keys. Called with mu held.
func (c *cache[K, V]) all() map[K]V {
	known := c.known()
	m := make(map[K]V, len(known)+len(c.recent))
	maps.Copy(m, known)
	maps.Copy(m, c.recent)
	return m
}

// store makes m what is found without the lock. Called with mu held.
func (c *cache[K, V]) store(m map[K]V) {
	c.m.Store(&m)
	c.recent, c.misses = nil, 0
}

package metrics

import (
	"maps"
	"sync"
	"sync/atomic"
)

// cache finds values by key without a lock and without an allocation. A key that
// is new, or goes, costs a copy of the whole.
type cache[K comparable, V any] struct {
	make func(K) V
	m    atomic.Pointer[map[K]V]
	mu   sync.Mutex // held by writers
}

func (c *cache[K, V]) get(k K) V {
	if m := c.m.Load(); m != nil {
		if v, ok := (*m)[k]; ok {
			return v
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.copy()
	v, ok := m[k]
	if !ok {
		v = c.make(k)
		m[k] = v
		c.m.Store(&m)
	}
	return v
}

func (c *cache[K, V]) delete(k K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.copy()
	delete(m, k)
	c.m.Store(&m)
}

// keys returns the keys of this moment.
func (c *cache[K, V]) keys() []K {
	var keys []K
	if m := c.m.Load(); m != nil {
		for k := range *m {
			keys = append(keys, k)
		}
	}
	return keys
}

// copy returns a map that may be changed. Called with mu held.
func (c *cache[K, V]) copy() map[K]V {
	if m := c.m.Load(); m != nil {
		return maps.Clone(*m)
	}
	return map[K]V{}
}

package metrics

import (
	"slices"
	"testing"
)

func TestCache(t *testing.T) {
	made := 0
	c := &cache[int, int]{make: func(k int) int { made++; return -k }}
	const n = 100
	for range 3 {
		for k := range n {
			if v := c.get(k); v != -k {
				t.Fatalf("%d has %d", k, v)
			}
		}
	}
	if made != n {
		t.Errorf("%d values were made for %d keys", made, n)
	}
	if got := len(*c.m.Load()); got != n {
		t.Errorf("%d keys of %d are found without the lock after three rounds", got, n)
	}
	c.get(n)
	c.delete(7)
	c.delete(n)
	keys := c.keys()
	slices.Sort(keys)
	if len(keys) != n-1 || slices.Contains(keys, 7) || slices.Contains(keys, n) {
		t.Errorf("after two were deleted there are %v", keys)
	}
	if c.get(7); made != n+2 {
		t.Errorf("%d values were made; want a new one for the key that was deleted", made)
	}
}

// BenchmarkCacheFill adds as many keys as a pool of 10,000 upstreams has.
func BenchmarkCacheFill(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		c := &cache[int, int]{make: func(k int) int { return k }}
		for k := range 10_000 {
			c.get(k)
		}
	}
}

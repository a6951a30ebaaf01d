package limit

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"time"
)

// ErrMemory means that too much memory is in use for new work.
var ErrMemory = errors.New("too much memory is in use")

const (
	memoryShare = 0.9                    // share of the limit above which no new work begins
	memoryPace  = 100 * time.Millisecond // between two checks
	collectPace = time.Second            // between two forced collections
)

// Memory compares the memory that the process keeps with GOMEMLIMIT. Beyond that limit
// the garbage collector would run all the time, and the kernel might kill the process
// with all its requests. It is safe for concurrent use.
type Memory struct {
	limit int64
	next  atomic.Int64 // Unix nanoseconds of the next check
	short atomic.Int64 // bytes in use if too much, else 0

	mu        sync.Mutex // protects the fields below; held during a check
	samples   []metrics.Sample
	collected time.Time
}

// NewMemory returns nil without a limit, that is, if GOMEMLIMIT is not set.
func NewMemory() *Memory {
	limit := debug.SetMemoryLimit(-1)
	if limit == math.MaxInt64 {
		return nil
	}
	m := &Memory{limit: limit}
	for _, name := range []string{
		"/memory/classes/total:bytes", "/memory/classes/heap/released:bytes", "/memory/classes/heap/free:bytes",
		"/memory/classes/heap/unused:bytes", "/memory/classes/heap/objects:bytes", "/gc/heap/live:bytes",
	} {
		m.samples = append(m.samples, metrics.Sample{Name: name})
	}
	return m
}

// Short returns an error that is [ErrMemory] while more than 90 % of the limit is in use.
// It is cheap, because it checks every 100 ms. A nil Memory is never short.
func (m *Memory) Short() error {
	if m == nil {
		return nil
	}
	now := time.Now()
	if next := m.next.Load(); now.UnixNano() >= next && m.next.CompareAndSwap(next, now.Add(memoryPace).UnixNano()) {
		m.look(now)
	}
	if used := m.short.Load(); used > 0 {
		return fmt.Errorf("%w: %d MiB, GOMEMLIMIT is %d MiB", ErrMemory, used>>20, m.limit>>20)
	}
	return nil
}

// look checks again. The memory in use is known as of the last collection, which may be
// long ago when no new work begins. Then look forces one.
func (m *Memory) look(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	used := m.used()
	if m.over(used) && now.Sub(m.collected) >= collectPace {
		m.collected = now
		runtime.GC()
		used = m.used()
	}
	if !m.over(used) {
		used = 0
	}
	m.short.Store(used)
}

func (m *Memory) over(used int64) bool { return float64(used) > memoryShare*float64(m.limit) }

// used returns the bytes that a collection would leave. Garbage does not count, because
// the heap grows up to the limit before it is collected.
func (m *Memory) used() int64 {
	metrics.Read(m.samples)
	n := int64(0)
	for i, sign := range []int64{1, -1, -1, -1, -1, 1} {
		n += sign * int64(m.samples[i].Value.Uint64())
	}
	return n
}

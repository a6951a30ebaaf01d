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

// ErrMemory says that so much memory is in use that no more may be begun.
var ErrMemory = errors.New("too much memory is in use")

const (
	memoryShare = 0.9                    // of the limit, from which on nothing more is begun
	memoryPace  = 100 * time.Millisecond // between two looks
	collectPace = time.Second            // between two collections that are asked for
)

// Memory compares what the process keeps in memory with GOMEMLIMIT. Beyond that
// the collector would run all the time, and the kernel may kill the process, with
// everything that is under way in it. It is safe for concurrent use.
type Memory struct {
	limit int64
	next  atomic.Int64 // Unix nanoseconds of the next look
	short atomic.Int64 // bytes in use when that was too much, else 0

	mu        sync.Mutex // protects the fields below; held while looking
	samples   []metrics.Sample
	collected time.Time
}

// NewMemory returns nil when there is no limit: GOMEMLIMIT is not set.
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

// Short returns an error that is [ErrMemory] while more than 90 % of the limit is
// in use. It is cheap: it looks every 100 ms. A nil Memory is never short.
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

// look counts anew. What is in use is known as of the last collection, which may
// be long ago when nothing more is begun: then it asks for one.
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

// used returns the bytes that a collection would leave: garbage does not count,
// since the heap grows up to the limit before it is collected.
func (m *Memory) used() int64 {
	metrics.Read(m.samples)
	n := int64(0)
	for i, sign := range []int64{1, -1, -1, -1, -1, 1} {
		n += sign * int64(m.samples[i].Value.Uint64())
	}
	return n
}

package fleet

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"time"
)

// Memory is an engine in this process, for tests. Use [NewMemory]. Its clock is
// [time.Now].
type Memory struct {
	mu      sync.Mutex // protects the fields below
	away    error      // the error of every call; nil = it works
	tables  map[string]*memoryTable
	buckets map[string]time.Time // when buckets are full; without those full for long
	ears    map[chan memoryMessage]struct{}
	calls   int
}

type memoryTable struct {
	revision uint64
	entries  map[string]memoryEntry
}

type memoryEntry struct {
	Entry
	ends time.Time // zero = never
}

type memoryMessage struct {
	topic   string
	message []byte
}

// NewMemory returns an empty engine.
func NewMemory() *Memory {
	return &Memory{tables: map[string]*memoryTable{}, buckets: map[string]time.Time{}, ears: map[chan memoryMessage]struct{}{}}
}

// Fail makes every call fail with err from now on; nil ends that. Watchers get an error.
func (m *Memory) Fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.away = err
	if err != nil {
		m.hangUp()
	}
}

// Flush drops everything, like FLUSHALL.
func (m *Memory) Flush() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.tables)
	clear(m.buckets)
}

// Calls returns the number of calls so far.
func (m *Memory) Calls() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.calls
}

// Close ends all watches.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hangUp()
	return nil
}

// hangUp ends all watches. mu must be held.
func (m *Memory) hangUp() {
	for ear := range m.ears {
		close(ear)
	}
	clear(m.ears)
}

// begin locks mu, or returns the error of the call.
func (m *Memory) begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	m.calls++
	if err := m.away; err != nil {
		m.mu.Unlock()
		return err
	}
	return nil
}

// table returns a table without expired entries. mu must be held.
func (m *Memory) table(name string, now time.Time) *memoryTable {
	t := m.tables[name]
	if t == nil {
		t = &memoryTable{entries: map[string]memoryEntry{}}
		m.tables[name] = t
	}
	for key, e := range t.entries {
		if !e.ends.IsZero() && !now.Before(e.ends) {
			delete(t.entries, key)
			t.turn(now)
		}
	}
	return t
}

// turn increases the table's revision.
func (t *memoryTable) turn(now time.Time) uint64 {
	t.revision = max(t.revision+1, uint64(now.UnixMilli()))
	return t.revision
}

// Put implements [Engine].
func (m *Memory) Put(ctx context.Context, table, key string, value []byte, w Write) (Entry, error) {
	if err := m.begin(ctx); err != nil {
		return Entry{}, err
	}
	defer m.mu.Unlock()
	now := time.Now()
	t := m.table(table, now)
	e, there := t.entries[key]
	if w.Revision != Any && w.Revision != e.Revision {
		return Entry{}, ErrConflict
	}
	if !there || w.Revision != Any || !bytes.Equal(e.Value, value) {
		e.Entry = Entry{Key: key, Value: bytes.Clone(value), Revision: t.turn(now)}
	}
	e.At, e.ends = now, time.Time{}
	if w.Lease > 0 {
		e.ends = now.Add(w.Lease)
	}
	t.entries[key] = e
	return e.Entry, nil
}

// Get implements [Engine].
func (m *Memory) Get(ctx context.Context, table, key string) (Entry, error) {
	if err := m.begin(ctx); err != nil {
		return Entry{}, err
	}
	defer m.mu.Unlock()
	e, there := m.table(table, time.Now()).entries[key]
	if !there {
		return Entry{}, ErrNotFound
	}
	return e.Entry, nil
}

// Delete implements [Engine].
func (m *Memory) Delete(ctx context.Context, table, key string, revision uint64) error {
	if err := m.begin(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	now := time.Now()
	t := m.table(table, now)
	e, there := t.entries[key]
	switch {
	case !there:
		return nil
	case revision != Any && revision != e.Revision:
		return ErrConflict
	}
	delete(t.entries, key)
	t.turn(now)
	return nil
}

// List implements [Engine].
func (m *Memory) List(ctx context.Context, table string, known uint64) (Listing, error) {
	if err := m.begin(ctx); err != nil {
		return Listing{}, err
	}
	defer m.mu.Unlock()
	now := time.Now()
	t := m.table(table, now)
	l := Listing{Revision: t.revision, Now: now}
	if known != 0 && known == t.revision {
		l.Same = true
		return l, nil
	}
	for _, e := range t.entries {
		l.Entries = append(l.Entries, e.Entry)
	}
	return l, nil
}

// Take implements [Engine].
func (m *Memory) Take(ctx context.Context, uses []Use) ([]Level, error) {
	if err := m.begin(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	now := time.Now()
	levels := make([]Level, len(uses))
	for i, u := range uses {
		full := m.buckets[u.Key]
		full, levels[i] = u.Apply(full, now)
		if full.After(now.Add(-Remember)) {
			m.buckets[u.Key] = full
		} else {
			delete(m.buckets, u.Key)
		}
	}
	return levels, nil
}

// Apply takes the tokens from a bucket that becomes full at the time full, by the
// engine's clock, and returns the new time. It is the generic cell rate algorithm (ITU-T
// I.371): full is its theoretical arrival time.
func (u Use) Apply(full, now time.Time) (time.Time, Level) {
	if then := now.Add(-u.Ago); full.Before(then) {
		full = then
	}
	after := full.Add(time.Duration(u.Tokens) * u.Every)
	room := time.Duration(u.Burst) * u.Every
	var l Level
	switch {
	case !u.Exact:
		if most := now.Add((1 + MaxDebt) * room); after.After(most) {
			after = most
		}
		full = after
	case after.Sub(now) <= room:
		full, l.Taken = after, true
	}
	l.Tokens = float64(u.Burst) - float64(max(full.Sub(now), 0))/float64(u.Every)
	return full, l
}

// Publish implements [Engine].
func (m *Memory) Publish(ctx context.Context, topic string, message []byte) error {
	if err := m.begin(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	for ear := range m.ears {
		select {
		case ear <- memoryMessage{topic, slices.Clone(message)}:
		default: // the watcher is too slow: drop the message
		}
	}
	return nil
}

// Watch implements [Engine].
func (m *Memory) Watch(ctx context.Context, ready func(), heard func(topic string, message []byte)) error {
	if err := m.begin(ctx); err != nil {
		return err
	}
	ear := make(chan memoryMessage, 256)
	m.ears[ear] = struct{}{}
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		delete(m.ears, ear)
		m.mu.Unlock()
	}()
	ready()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case got, ok := <-ear:
			if !ok {
				return errHungUp
			}
			heard(got.topic, got.message)
		}
	}
}

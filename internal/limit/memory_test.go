package limit

import (
	"errors"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

// TestMemory checks that memory is short while it is in use, that garbage does not
// count, and that freed memory is noticed.
func TestMemory(t *testing.T) {
	if NewMemory() != nil {
		t.Skip("GOMEMLIMIT is set")
	}
	if err := (*Memory)(nil).Short(); err != nil {
		t.Errorf("without a limit: %v", err)
	}
	const limit = 256 << 20
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(limit))
	m := NewMemory()
	ask := func() error {
		m.next.Store(0)
		m.collected = time.Time{}
		return m.Short()
	}
	if err := ask(); err != nil {
		t.Fatalf("at first: %v", err)
	}
	for range 40 {
		runtime.KeepAlive(make([]byte, 8<<20))
	}
	if err := ask(); err != nil {
		t.Errorf("after garbage: %v", err)
	}
	kept := make([]byte, limit*95/100)
	runtime.GC()
	if err := ask(); !errors.Is(err, ErrMemory) {
		t.Errorf("with 95 %% in use: got %v, want %v", err, ErrMemory)
	}
	if err := m.Short(); err == nil {
		t.Error("it was forgotten between two looks")
	}
	runtime.KeepAlive(kept)
	kept = nil
	if err := ask(); err != nil {
		t.Errorf("when it is free again: %v", err)
	}
}

func BenchmarkMemory(b *testing.B) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(1 << 40))
	m := NewMemory()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if m.Short() != nil {
				b.Error("short")
			}
		}
	})
}

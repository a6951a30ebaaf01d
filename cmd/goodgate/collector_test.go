package main

import (
	"runtime"
	"testing"
	"time"
)

// TestCollector checks the limit on garbage relative to the memory in use, and that it
// is recomputed after each collection.
func TestCollector(t *testing.T) {
	for live, want := range map[uint64]int{0: 400, 4 << 20: 400, 16 << 20: 400, 20 << 20: 300, 32 << 20: 200, 64 << 20: 100, 1 << 30: 100} {
		if got := percentFor(live); got != want {
			t.Errorf("%d MB in use: got %d %%, want %d", live>>20, got, want)
		}
	}
	rounds := make(chan bool, 100)
	afterEachRound(func() { rounds <- true })
	for range 3 {
		runtime.GC()
		select {
		case <-rounds:
		case <-time.After(10 * time.Second):
			t.Fatal("not told of a round")
		}
	}
}

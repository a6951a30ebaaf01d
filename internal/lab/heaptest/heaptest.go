// Package heaptest measures, for tests, how much memory something keeps.
package heaptest

import (
	"runtime"
	"strings"
	"testing"
)

// Junk is what a hostile client sends beside what is kept: the size of a header
// that listeners take.
const Junk = 60 << 10

// Kept returns the bytes of the heap that what make returns keeps alive. No test
// may run beside it in its package.
func Kept(tb testing.TB, make func() any) int64 {
	tb.Helper()
	before := used()
	v := make()
	after := used()
	runtime.KeepAlive(v)
	return after - before
}

// used collects until nothing more is freed: what a sync.Pool holds and what
// has a finalizer outlives a collection.
func used() int64 {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Within fails a test that keeps more than half as much again as it may, or so
// little that nothing is measured.
func Within(tb testing.TB, what string, kept, bound int64) {
	tb.Helper()
	tb.Logf("%s: %d KiB are kept, the bound is %d KiB", what, kept>>10, bound>>10)
	if kept > bound+bound/2 {
		tb.Errorf("%s: %d KiB are kept, the bound is %d KiB", what, kept>>10, bound>>10)
	}
	if kept < bound/100 {
		tb.Errorf("%s: %d KiB are kept of a bound of %d KiB: the test fills nothing", what, kept>>10, bound>>10)
	}
}

// Pinned returns texts as a request's parts come: each is a part of one string
// that is larger by [Junk].
func Pinned(texts ...string) []string {
	all := strings.Join(texts, "") + strings.Repeat("j", Junk)
	parts := make([]string, len(texts))
	at := 0
	for i, s := range texts {
		parts[i] = all[at : at+len(s)]
		at += len(s)
	}
	return parts
}

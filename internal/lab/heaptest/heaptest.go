// Package heaptest measures how much memory a value keeps, for tests.
package heaptest

import (
	"runtime"
	"strings"
	"testing"
)

// Junk is the number of surplus bytes that a hostile client sends: the size of a header
// that listeners accept.
const Junk = 60 << 10

// Kept returns the bytes of the heap that the result of make keeps alive. No other test
// of the package may run at the same time.
func Kept(tb testing.TB, make func() any) int64 {
	tb.Helper()
	before := used()
	v := make()
	after := used()
	runtime.KeepAlive(v)
	return after - before
}

// used collects garbage until nothing more is freed. The content of a sync.Pool, and
// objects with a finalizer, survive one collection.
func used() int64 {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Within fails a test if kept is larger than one and a half times bound, or so small
// that it was not measured.
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

// Pinned returns texts in the way a request's parts arrive: each is a part of one
// string that is larger by [Junk].
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

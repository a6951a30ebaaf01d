package admin

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/internal/lab/heaptest"
	"github.com/goodgate/goodgate/proxy"
)

// TestRingMemory fills the ring with requests with the largest values that a client can
// choose. An earlier version kept each whole header.
func TestRingMemory(t *testing.T) {
	const bound = (ringFailures + ringRefused + ringOthers + ringFaster) * 16 << 10
	for name, size := range map[string]int{"short texts": 20, "long texts": 50 << 10} {
		kept := heaptest.Kept(t, func() any {
			r := new(Ring)
			for n := range 4 * ringFailures {
				r.Observe(hostile(n, size))
			}
			return r
		})
		heaptest.Within(t, name, kept, bound)
	}
}

// hostile is the account of a request that failed as often as is noted.
func hostile(n, size int) *proxy.Record {
	long := strings.Repeat("é", size/2)
	parts := heaptest.Pinned("POST", fmt.Sprint("host", n, long), fmt.Sprint("/", n, long), fmt.Sprint("id", n))
	rec := &proxy.Record{
		Method: parts[0], Host: parts[1], Path: parts[2], ID: parts[3], Pool: "app", Route: "all", Start: time.Unix(1e9, 0), Status: 502,
		Reason: []reason.Reason{reason.ClosedBeforeResponse, reason.Overloaded, reason.RequestMalformed, reason.None}[n%4], Err: errors.New(long),
	}
	if rec.Reason == reason.None {
		rec.Absorbed = reason.ByHedge // with nothing hidden: the hedge was only faster
	}
	for range 16 {
		rec.Attempts = append(rec.Attempts, proxy.Attempt{Upstream: "192.0.2.1:3000", Reason: reason.ClosedBeforeResponse, Err: errors.New(long)})
	}
	return rec
}

// Shortened texts are marked, and stay valid text.
func TestCut(t *testing.T) {
	for s, want := range map[string]string{"": "", "abc": "abc", "abcd": "abc…", "abé": "ab…", "éé": "é…", "\xff\xff\xff\xff": "\xff\xff\xff…"} {
		if got := cut(s, 3); got != want {
			t.Errorf("%q: got %q, want %q", s, got, want)
		}
	}
}

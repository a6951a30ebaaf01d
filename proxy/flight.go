package proxy

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/goodgate/goodgate/internal/stale"
)

// flights lets one request fetch a response that several requests want at once. It is
// safe for concurrent use.
type flights struct {
	mu     sync.Mutex // protects the fields below
	open   map[stale.Key]*flight
	passed *simplelru.LRU[stale.Key, time.Time] // keys whose answers were not kept, and until when requests for them do not wait
}

const (
	passFor   = 10 * time.Second
	maxPassed = 4096
)

// flight is the fetch of one response.
type flight struct {
	of   *flights
	key  stale.Key
	done chan struct{}
}

func newFlights() *flights {
	passed, _ := simplelru.NewLRU[stale.Key, time.Time](maxPassed, nil)
	return &flights{open: map[stale.Key]*flight{}, passed: passed}
}

// join returns a flight to lead, or the flight in progress. It returns neither while
// waiting for this key has proved useless.
func (f *flights) join(k stale.Key) (lead, other *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if until, ok := f.passed.Get(k); ok && time.Now().Before(until) {
		return nil, nil
	}
	if other = f.open[k]; other != nil {
		return nil, other
	}
	lead = &flight{f, k, make(chan struct{})}
	f.open[k] = lead
	return lead, nil
}

// land ends a flight. kept tells the waiting requests whether they can use the kept
// answer. Only the first call counts.
func (l *flight) land(kept bool) {
	if l == nil {
		return
	}
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	if l.of.open[l.key] != l {
		return
	}
	delete(l.of.open, l.key)
	if !kept {
		l.of.passed.Add(l.key, time.Now().Add(passFor))
	}
	close(l.done)
}

// wait waits for a flight's end. It reports whether it came in time.
func (l *flight) wait(ctx context.Context, most time.Duration) bool {
	late := time.NewTimer(most)
	defer late.Stop()
	select {
	case <-l.done:
		return true
	case <-late.C:
	case <-ctx.Done():
	}
	return false
}

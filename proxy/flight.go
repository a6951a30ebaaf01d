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
	flying map[stale.Key]*flight
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
	left bool // the leader has left without an answer; set before done is closed
}

// landing is the end of a flight.
type landing int

const (
	landedNothing landing = iota // the answer is not kept, so waiting for this key is useless
	landedKept                   // the waiting requests can use the kept answer
	landedEarly                  // the leader has left; another request may lead
)

func newFlights() *flights {
	passed, _ := simplelru.NewLRU[stale.Key, time.Time](maxPassed, nil)
	return &flights{flying: map[stale.Key]*flight{}, passed: passed}
}

// open reports whether a flight is in progress.
func (f *flights) open(k stale.Key) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.flying[k] != nil
}

// join returns the flight in progress, or else a flight to lead, if mayLead. It returns
// neither for a while after a wait for this key has proved useless.
func (f *flights) join(k stale.Key, mayLead bool) (lead, other *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if until, ok := f.passed.Get(k); ok && time.Now().Before(until) {
		return nil, nil
	}
	if other = f.flying[k]; other != nil || !mayLead {
		return nil, other
	}
	lead = &flight{of: f, key: k, done: make(chan struct{})}
	f.flying[k] = lead
	return lead, nil
}

// land ends a flight. Only the first call counts.
func (l *flight) land(how landing) {
	if l == nil {
		return
	}
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	if l.of.flying[l.key] != l {
		return
	}
	delete(l.of.flying, l.key)
	if how == landedNothing {
		l.of.passed.Add(l.key, time.Now().Add(passFor))
	}
	l.left = how == landedEarly
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

package discovery

import (
	"context"
	"time"

	"golang.org/x/time/rate"
)

// Target is one address found by a source.
type Target struct {
	Addr        string // "10.0.0.1:3001", "[::1]:80" or "unix:/path"; a host name and port only from a file
	Other       string // the same host and port with its IPv6 address, if Addr has its IPv4 one; "" = none
	Name        string // the host name it came from, for Host and SNI; "" for an address
	Weight      int    // share of the load, 1 to 1000; 0 counts as 1
	Tier        int    // 0 first; a higher tier is a reserve
	MaxInFlight int    // limit on concurrent requests; 0 = none
	TLS         bool
	Together    bool // MaxInFlight is for all instances of the fleet together

	Lifecycle Lifecycle // the zero value accepts requests
	Zone      string    // its zone; "" = unknown
	Metadata  Metadata  // additional information for people
}

// Source is a source of targets.
type Source interface {
	// Run delivers the complete set to sink as soon as it is known, and again after
	// each change, until ctx ends, or until the set cannot change any more: then it
	// returns nil. An error from Run means that the source can never deliver. Temporary
	// errors are reported to sink and never lead to an empty set.
	Run(ctx context.Context, sink Sink) error
}

// Refresher is a source that can query before its time. Refresh does not block. Calls
// close to each other cause one query, at most one per second.
type Refresher interface{ Refresh() }

// Sink receives the results of a source. Its functions are called by one goroutine at a
// time; while they run, the source waits.
type Sink struct {
	// Update gets the complete set; the sink may keep the slice.
	Update func(targets []Target)
	// Report gets the error of each failed query, and nil once the source works again.
	Report func(err error)
	// Looked is called after each successful query, with the candidates left out;
	// unchanged means that they are the same as before. It may be nil.
	Looked func(leftOut []LeftOut, unchanged bool)
}

func (s Sink) looked(leftOut []LeftOut, unchanged bool) {
	if s.Looked != nil {
		s.Looked(leftOut, unchanged)
	}
}

// reporter reports failures to a sink, and the first success after one.
type reporter struct {
	sink    Sink
	failing bool
}

func (r *reporter) report(err error) {
	if err != nil || r.failing {
		r.sink.Report(err)
	}
	r.failing = err != nil
}

// nudge carries Refresh calls to a Run loop.
type nudge struct {
	limit *rate.Limiter
	c     chan struct{}
}

func newNudge() nudge {
	return nudge{limit: rate.NewLimiter(rate.Every(time.Second), 1), c: make(chan struct{}, 1)}
}

// Refresh requests a query.
func (n nudge) Refresh() {
	select {
	case n.c <- struct{}{}:
	default: // a request is already waiting
	}
}

// pause waits for d, or for a Refresh within its rate limit. It returns an error if ctx
// ended.
func (n nudge) pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-n.c:
		return n.limit.Wait(ctx)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// union returns the targets of all sets in order, the first one of each address.
func union(sets ...[]Target) []Target {
	all := []Target{}
	seen := make(map[string]bool)
	for _, set := range sets {
		for _, t := range set {
			if !seen[t.Addr] {
				seen[t.Addr] = true
				all = append(all, t)
			}
		}
	}
	return all
}

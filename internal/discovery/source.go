package discovery

import (
	"context"
	"time"

	"golang.org/x/time/rate"
)

// Target is one address a source found.
type Target struct {
	Addr        string // "10.0.0.1:3001", "[::1]:80" or "unix:/path"; a host name and port only from a file
	Other       string // the same host and port by an IPv6 address, where Addr has its IPv4 one; "" without
	Name        string // the host name it came from, for Host and SNI; "" for an address
	Weight      int    // share of the load, 1 to 1000; 0 counts as 1
	Tier        int    // 0 first; a higher tier is a reserve
	MaxInFlight int    // requests at once; 0 means no limit
	TLS         bool
	Together    bool // MaxInFlight is of all instances of the fleet together

	Lifecycle Lifecycle // the zero value takes requests
	Zone      string    // where it runs; "" = not known
	Metadata  Metadata  // what else the source tells, for people to read
}

// Source is a place where targets come from.
type Source interface {
	// Run delivers the whole set to sink as soon as the source knows it, and again
	// each time it changes, until ctx ends, or until it cannot change any more: then
	// it returns nil. An error from Run
	// means that the source can never deliver. Errors that may pass are reported
	// to sink; they never lead to an empty set.
	Run(ctx context.Context, sink Sink) error
}

// Refresher is a source that can look again before its time. Refresh does not
// block; calls that come close together lead to one look, at most one a second.
type Refresher interface{ Refresh() }

// Sink takes what a source finds. Its functions are called by one goroutine at a
// time; while they run, the source waits.
type Sink struct {
	// Update gets the whole set; the slice is the sink's to keep.
	Update func(targets []Target)
	// Report gets each failure to look, and nil once the source works again.
	Report func(err error)
	// Looked gets each look that worked, with the candidates that it left out; unchanged
	// = they are those of the look before. nil = nobody wants to know.
	Looked func(leftOut []LeftOut, unchanged bool)
}

func (s Sink) looked(leftOut []LeftOut, unchanged bool) {
	if s.Looked != nil {
		s.Looked(leftOut, unchanged)
	}
}

// reporter tells a sink of failures, and of the first success after one.
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

// Refresh asks for a look.
func (n nudge) Refresh() {
	select {
	case n.c <- struct{}{}:
	default: // one is waiting already
	}
}

// pause waits for d, or for a Refresh and the limit on those. It returns an error
// when ctx ended.
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

// union returns the targets of all sets in order, the first of each address.
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

package demo

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/proxy"
)

// history is the number of seconds in the view.
const history = 60

// second has the counts of one second.
type second struct {
	Requests, OK, Failed int
	UpstreamFailures     int
	P50, P99             time.Duration // latencies of answers, from the due times of their requests
}

// escape is the cause of a failure that reached a client.
type escape struct {
	Method   string
	Reason   reason.Reason
	Decision reason.Decision // the reason against another attempt
	Tried    bool            // there was an attempt, so Decision is valid
}

// upstreamCount has the proxy's counts for one upstream.
type upstreamCount struct{ Served, Failed int }

// stats has the counts. The load reports the clients' side, and the proxy reports the
// upstreams' side.
type stats struct {
	mu        sync.Mutex // protects the fields below
	total     Summary
	now       second
	latencies []time.Duration
	past      []second // latest last
	upstreams map[string]upstreamCount
}

func newStats() *stats {
	return &stats{
		total:     Summary{Statuses: map[int]int{}, Escaped: map[escape]int{}},
		upstreams: map[string]upstreamCount{},
	}
}

// sent counts a request of the load.
func (s *stats) sent(late bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total.Requests++
	s.now.Requests++
	if late {
		s.total.Late++
	}
}

// answered counts a client's result: a status, or 0 without a complete answer.
func (s *stats) answered(status int, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latencies = append(s.latencies, took)
	if status >= 200 && status < 400 {
		s.total.OK++
		s.now.OK++
		return
	}
	s.total.Failed++
	s.total.Statuses[status]++
	s.now.Failed++
}

// abandoned counts a request that the end of the demo has cancelled.
func (s *stats) abandoned() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total.Abandoned++
}

// observe adds the proxy's record of one request. A request that is not from the load
// is a visit by somebody who tries the address.
func (s *stats) observe(r *proxy.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range r.Attempts {
		a := &r.Attempts[i]
		u := s.upstreams[a.Upstream]
		switch a.Reason.Fault() {
		case reason.FaultNone:
			u.Served++
		case reason.FaultUpstream:
			u.Failed++
		}
		s.upstreams[a.Upstream] = u
	}
	if !strings.HasPrefix(r.Path, loadPrefix) {
		s.total.Visits++
		return
	}
	failed := r.Failed()
	s.total.UpstreamFailures += failed
	s.now.UpstreamFailures += failed
	if failed > 0 && !r.Escaped() {
		s.total.Absorbed++
	}
	if r.Held > 0 {
		s.total.Held++
		s.total.LongestHeld = max(s.total.LongestHeld, r.Held)
	}
	if r.Escaped() {
		e := escape{Method: r.Method, Reason: r.Reason, Tried: len(r.Attempts) > 0}
		if e.Tried {
			e.Decision = r.Attempts[len(r.Attempts)-1].Decision
		}
		s.total.Escaped[e]++
	}
}

// probeFailed counts a failed health check.
func (s *stats) probeFailed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total.ProbeFailures++
}

// roll ends the present second and begins the next.
func (s *stats) roll() second {
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.Sort(s.latencies)
	s.now.P50, s.now.P99 = percentile(s.latencies, 50), percentile(s.latencies, 99)
	done := s.now
	s.past = append(s.past, done)
	s.past = s.past[max(0, len(s.past)-history):]
	s.now, s.latencies = second{}, s.latencies[:0]
	return done
}

// percentile returns the p-th percentile of sorted values by the nearest rank, zero
// without values.
func percentile(sorted []time.Duration, p int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := (len(sorted)*p + 99) / 100
	return sorted[max(rank, 1)-1]
}

// summary returns the totals so far.
func (s *stats) summary() Summary {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := s.total
	sum.Statuses, sum.Escaped = maps.Clone(sum.Statuses), maps.Clone(sum.Escaped)
	return sum
}

// seconds returns the last seconds, at most [history] of them.
func (s *stats) seconds() []second {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.past)
}

// perUpstream returns the counts by address.
func (s *stats) perUpstream() map[string]upstreamCount {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.upstreams)
}

package split

import (
	"fmt"
	"time"

	"github.com/goodgate/goodgate/internal/verdict"
	"github.com/goodgate/goodgate/proxy"
	"github.com/goodgate/goodgate/reason"
)

// sums are the counts of a side since the last change of the weights.
type sums struct {
	requests, failed int
	latency          time.Duration // total latency of the requests with an answer
	answered         int
}

// Observe counts a completed request of the route.
//
// It counts for the side that was selected first. Failures that another pool or an
// older answer hid from the client also count, because the guard exists to detect them.
// Some requests are no evidence: those that testers sent to a side with an override,
// those aborted by their clients, those with an injected fault, and those that an
// operator has kept from the side with a pause or a maintenance.
func (s *Split) Observe(r *proxy.Record) {
	side := int(r.Split.Side) - 1
	if r.Split.Chosen || side < 0 || side >= len(s.opts.Pools) || r.Reason.Fault() == reason.FaultClient || r.Reason == reason.Paused || r.Reason == reason.Maintenance || r.Faults != 0 {
		return
	}
	now := r.Start.Add(r.Duration)
	result := verdict.Result{Side: side, Client: r.Split.Client, Failed: failed(r), Latency: latency(r)}
	s.mu.Lock()
	result.Untimed = now.Sub(s.since) < s.opts.Grace || r.Paused > 0
	sum := &s.sides[side]
	sum.requests++
	if result.Failed {
		sum.failed++
	}
	if result.Latency > 0 {
		sum.answered++
		sum.latency += result.Latency
	}
	s.mu.Unlock()
	s.requests.Add(result, now)
}

// failed reports whether an application, or its absence, made a request fail.
func failed(r *proxy.Record) bool {
	return r.Status >= 500 || r.Reason != reason.None || r.Fallback != "" || r.Absorbed == reason.ByStale || r.Split.Spilled
}

// latency returns the time from the request to the header of its answer, 0 without one.
// The time after that depends on the client.
func latency(r *proxy.Record) time.Duration {
	if n := len(r.Attempts); n > 0 && r.Attempts[n-1].Status != 0 {
		return r.Attempts[n-1].After + r.Attempts[n-1].Took
	}
	return 0
}

// Tick judges the last second, and returns the resulting order, nil if there is none.
// It is called once a second.
func (s *Split) Tick(now time.Time) *Order {
	block := s.requests.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, j := range s.judges {
		j.Add(verdict.Block{A: block[0], B: block[i+1]})
	}
	if s.standing == Guarded {
		return nil
	}
	worse := 0
	for i := range s.judges {
		if w, _ := s.judges[i].Verdict(); w == verdict.Worse && s.live.Get()[i+1] > 0 {
			worse = i + 1
			break
		}
	}
	switch {
	case worse > 0 && s.opts.Guard:
		return &Order{Weights: s.back(), By: ByGuard, Why: s.why(worse), At: now}
	case worse > 0:
		return nil // there is no further step
	}
	return s.next(now)
}

// next returns the schedule's next step if it is due.
func (s *Split) next(now time.Time) *Order {
	if s.standing == Ordered || s.step >= len(s.opts.Schedule) {
		return nil
	}
	step := s.opts.Schedule[s.step]
	if now.Sub(s.since) < step.After {
		return nil
	}
	present := s.live.Get()
	if s.opts.Guard {
		for i, sum := range s.sides {
			if present[i] > 0 && sum.requests < s.opts.Enough {
				return nil
			}
		}
	}
	o := &Order{Weights: map[string]float64{}, By: BySchedule, At: now,
		Why: fmt.Sprintf("step %d of %d: %s gets %.4g %%", s.step+1, len(s.opts.Schedule), s.opts.Pools[step.Side], step.Share*100)}
	for i, w := range shared(present, step.Side, step.Share) {
		o.Weights[s.opts.Pools[i]] = w
	}
	return o
}

// why describes in what respect a side is worse, with the counts.
func (s *Split) why(side int) string {
	_, cause := s.judges[side-1].Verdict()
	a, b := s.judges[side-1].Seen()
	first, other := s.opts.Pools[0], s.opts.Pools[side]
	if cause == verdict.Errors {
		return fmt.Sprintf("%s fails more often than %s: %s, compared with %s", other, first, parts(b.Errors, b.Requests, "requests"), parts(a.Errors, a.Requests, "requests"))
	}
	slowA, slowB, of := a.Slow, b.Slow, "the median"
	if cause == verdict.Tail {
		slowA, slowB, of = a.VerySlow, b.VerySlow, "the 95th percentile"
	}
	return fmt.Sprintf("%s is slower than %s: %s exceed %s of %s by more than %.4g %%; of %s itself, %s exceed that limit",
		other, first, parts(slowB, b.Timed, "answers"), of, first, s.opts.Tolerate.Latency*100, first, parts(slowA, a.Timed, "answers"))
}

func parts(n, of int, what string) string {
	share := 0.0
	if of > 0 {
		share = float64(n) / float64(of) * 100
	}
	return fmt.Sprintf("%d of %d %s (%.3g %%)", n, of, what, share)
}

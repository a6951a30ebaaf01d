package split

import (
	"fmt"
	"strings"
	"time"

	"github.com/goodgate/goodgate/internal/verdict"
)

// Report is the state of a split.
type Report struct {
	Route    string    `json:"route"`
	Standing Standing  `json:"standing"`
	Since    time.Time `json:"since"`         // since when the weights apply
	By       string    `json:"by,omitempty"`  // author of the order; empty if the weights are from the file
	Why      string    `json:"why,omitempty"` // reason for the order
	Guard    bool      `json:"guard"`         // whether failures send all requests back to the first pool
	Next     *Next     `json:"next,omitempty"`
	Sides    []Side    `json:"sides"`
	Line     string    `json:"line"` // the state as text
}

// Next is the next step of the schedule.
type Next struct {
	Pool  string    `json:"pool"`
	Share float64   `json:"share"` // from 0 to 1
	At    time.Time `json:"at"`    // the earliest time
	Waits string    `json:"waits,omitempty"`
}

// Side is the state of a pool of a split. Its counts are since the last change of the
// weights.
type Side struct {
	Pool      string       `json:"pool"`
	Share     float64      `json:"share"` // from 0 to 1
	Requests  int          `json:"requests"`
	Failed    int          `json:"failed"`
	LatencyMS float64      `json:"latency_ms"`        // mean time to an answer; 0 = unknown
	Verdict   verdict.Word `json:"verdict"`           // compared with the first side, whose own verdict is unknown
	Because   string       `json:"because,omitempty"` // the respect in which it is worse
}

// Report returns the state at a time.
func (s *Split) Report(now time.Time) Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	weights := s.live.Get()
	r := Report{Route: s.opts.Route, Standing: s.standing, Since: s.since, By: s.order.By, Why: s.order.Why, Guard: s.opts.Guard, Next: s.coming(now)}
	for i, pool := range s.opts.Pools {
		side := Side{Pool: pool, Share: weights[i] / sum(weights), Requests: s.sides[i].requests, Failed: s.sides[i].failed}
		if n := s.sides[i].answered; n > 0 {
			side.LatencyMS = float64((s.sides[i].latency / time.Duration(n)).Microseconds()) / 1000
		}
		if i > 0 {
			if side.Verdict, _ = s.judges[i-1].Verdict(); side.Verdict == verdict.Worse && weights[i] > 0 {
				side.Because = s.why(i)
			}
		}
		r.Sides = append(r.Sides, side)
	}
	r.Line = r.line()
	return r
}

// coming returns the next step, nil if there is none.
func (s *Split) coming(now time.Time) *Next {
	if s.standing == Ordered || s.standing == Guarded || s.step >= len(s.opts.Schedule) {
		return nil
	}
	step := s.opts.Schedule[s.step]
	n := &Next{Pool: s.opts.Pools[step.Side], Share: step.Share, At: s.since.Add(step.After)}
	if !now.Before(n.At) {
		n.Waits = fmt.Sprintf("until each pool has %d requests, and while a pool is worse", s.opts.Enough)
	}
	return n
}

// line describes it as text.
func (r *Report) line() string {
	var shares, verdicts []string
	for i, side := range r.Sides {
		shares = append(shares, fmt.Sprintf("%s %.3g %%", side.Pool, side.Share*100))
		if i > 0 && side.Share > 0 {
			verdicts = append(verdicts, fmt.Sprintf("verdict on %s: %s", side.Pool, side.Verdict))
		}
	}
	text := strings.Join(shares, ", ")
	if len(verdicts) > 0 {
		text += "; " + strings.Join(verdicts, ", ")
	}
	switch r.Standing {
	case Guarded:
		text += "; the guard sent all requests back to " + r.Sides[0].Pool + ": " + r.Why
	case Ordered:
		text += "; ordered by " + r.By
	case Stepped:
		text += "; " + r.Why
	}
	return text
}

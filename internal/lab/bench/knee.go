package bench

import (
	"context"
	"fmt"
	"time"
)

// Knee configures the search for the highest rate that a target still serves well.
type Knee struct {
	Target   Target
	From     float64       // first rate, in requests per second; 0 = 100
	Step     time.Duration // duration of each try; 0 = 5 s
	P99      time.Duration // limit on the p99 of a good rate; 0 = 100 ms
	Failed   float64       // limit on the share of failures at a good rate
	Progress func(Step)

	run func(context.Context, Plan) (*Result, error) // nil = [Run]
}

// Step is one tried rate.
type Step struct {
	Rate float64
	Good bool
	*Result
}

const bisections = 5

// Find doubles the rate until it is too high, and then bisects the interval. It returns
// the result at the highest good rate, nil if the first rate was already too high, and
// all steps. If every request fails at the first rate, it tries no other.
func (k Knee) Find(ctx context.Context) (*Result, []Step, error) {
	if k.From == 0 {
		k.From = 100
	}
	if k.Step == 0 {
		k.Step = 5 * time.Second
	}
	if k.P99 == 0 {
		k.P99 = 100 * time.Millisecond
	}
	if k.run == nil {
		k.run = Run
	}
	var steps []Step
	var best *Result
	try := func(rate float64) (bool, error) {
		r, err := k.run(ctx, Plan{Target: k.Target, Pace: Fixed(rate), For: k.Step})
		if err != nil {
			return false, err
		}
		if ctx.Err() != nil {
			return false, fmt.Errorf("stopped while trying %.0f requests a second", rate)
		}
		s := Step{Rate: rate, Good: k.good(r), Result: r}
		steps = append(steps, s)
		if k.Progress != nil {
			k.Progress(s)
		}
		if s.Good {
			best = r
		}
		return s.Good, nil
	}
	low, high := 0.0, k.From
	for {
		good, err := try(high)
		if err != nil {
			return best, steps, err
		}
		if !good {
			break
		}
		low, high = high, 2*high
	}
	if len(steps) == 1 && steps[0].Hopeless() != nil {
		return nil, steps, nil
	}
	for range bisections {
		middle := (low + high) / 2
		good, err := try(middle)
		if err != nil {
			return best, steps, err
		}
		if good {
			low = middle
		} else {
			high = middle
		}
	}
	return best, steps, nil
}

// good reports whether the target served a rate well. Requests that are still in flight
// long after the last one was due are a sign that it did not.
func (k Knee) good(r *Result) bool {
	return r.Requests > 0 && r.Latency.P99 < float64(k.P99)/float64(time.Millisecond) && r.FailedShare() <= k.Failed
}

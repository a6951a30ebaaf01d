package bench

import (
	"context"
	"fmt"
	"time"
)

// Knee says how the highest rate is looked for that a target still serves well.
type Knee struct {
	Target   Target
	From     float64       // requests a second to begin with; 0 = 100
	Step     time.Duration // how long each rate is tried; 0 = 5 s
	P99      time.Duration // served well: the p99 is below this; 0 = 100 ms
	Failed   float64       // and this share fails at most
	Progress func(Step)

	run func(context.Context, Plan) (*Result, error) // tries a rate; nil = [Run]
}

// Step is one rate that was tried.
type Step struct {
	Rate float64
	Good bool
	*Result
}

const bisections = 5

// Find doubles the rate until it is too much and then halves the interval. It
// returns the result at the highest rate that was served well, and every step;
// the result is nil when even the first was too much.
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

// good reports whether a rate was served well. Requests that were still on
// their way long after the last was due were not.
func (k Knee) good(r *Result) bool {
	return r.Requests > 0 && r.Latency.P99 < float64(k.P99)/float64(time.Millisecond) && r.FailedShare() <= k.Failed
}

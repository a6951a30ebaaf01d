package bench

import (
	"math"
	"time"
)

// Pace determines when requests are due.
type Pace interface {
	// At returns the time from the start to the nth request, counted from 0.
	At(n int) time.Duration
}

// Fixed is a constant rate, in requests per second.
type Fixed float64

// At returns n divided by the rate.
func (f Fixed) At(n int) time.Duration {
	return time.Duration(float64(n) / float64(f) * float64(time.Second))
}

// Ramp is a rate that changes linearly and then stays constant.
type Ramp struct {
	From, To float64       // requests per second
	Over     time.Duration // duration of the change
}

// At solves From*t + (To-From)/(2*Over) * t^2 = n for t.
func (r Ramp) At(n int) time.Duration {
	over := r.Over.Seconds()
	during := (r.From + r.To) / 2 * over
	if float64(n) >= during {
		return r.Over + Fixed(r.To).At(int(float64(n)-during))
	}
	slope := (r.To - r.From) / (2 * over)
	t := float64(n) / r.From
	if slope != 0 {
		t = (math.Sqrt(r.From*r.From+4*slope*float64(n)) - r.From) / (2 * slope)
	}
	return time.Duration(t * float64(time.Second))
}

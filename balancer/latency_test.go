package balancer

import (
	"math"
	"testing"
	"time"
)

func TestLatency(t *testing.T) {
	t.Parallel()
	type sample struct {
		after   time.Duration // the one before
		outcome Outcome
		rtt     time.Duration
	}
	const ms, h = time.Millisecond, latencyHalf
	f := func(name string, wait, want time.Duration, samples ...sample) {
		t.Helper()
		var l latency
		now := int64(1e18)
		for _, s := range samples {
			now += int64(s.after)
			l.record(s.outcome, s.rtt, now)
		}
		got := l.cost(now + int64(wait))
		if math.Abs(got-float64(want)) > 0.001*float64(want) {
			t.Errorf("%s: got %v, want %v", name, time.Duration(got), want)
		}
	}
	f("no history", 0, 0)
	f("first", 0, 10*ms, sample{0, Success, 10 * ms})
	f("instant answer is history", 0, 1, sample{0, Success, 0})
	f("peak at once", 0, 50*ms, sample{0, Success, 10 * ms}, sample{ms, Success, 50 * ms})
	f("slow to forget", 0, 50*ms, sample{0, Success, 50 * ms}, sample{0, Success, 10 * ms})
	f("half after its half-life", h, 25*ms, sample{0, Success, 50 * ms})
	f("quarter after two", 2*h, 12500*time.Microsecond, sample{0, Success, 50 * ms})
	f("blend", 0, 45*ms, sample{0, Success, 50 * ms}, sample{h / 4, Success, 10 * ms})
	f("a lone sample goes half of the way", 0, 5*ms, sample{0, Success, 50 * ms}, sample{h, Success, ms})
	f("a lone peak goes all of it", 0, 90*ms, sample{0, Success, 50 * ms}, sample{h, Success, 90 * ms})
	f("forgotten", latencyLife, 0, sample{0, Success, 50 * ms})
	f("ignored", 0, 10*ms, sample{0, Success, 10 * ms}, sample{0, Ignored, time.Second})
	f("fast failure", 0, failurePenalty, sample{0, Failure, ms})
	f("failure of a slow one", 0, 500*ms, sample{0, Success, 50 * ms}, sample{0, Unreachable, ms})
	f("penalty is bounded", 0, failureCap, sample{0, Success, time.Second}, sample{0, Failure, ms})
	f("slow failure", 0, time.Minute, sample{0, Unreachable, time.Minute})
	f("clock set back", -time.Hour, 10*ms, sample{0, Success, 10 * ms})
}

func TestDecayFollowsTheExponential(t *testing.T) {
	t.Parallel()
	last := 1.0
	for e := time.Duration(0); e < latencyLife; e += 10 * time.Millisecond {
		got := decay(int64(e))
		want := math.Exp2(-float64(e) / float64(latencyHalf))
		if got > last || math.Abs(got/want-1) > 0.062 {
			t.Fatalf("after %v: got %v, before that %v, want about %v", e, got, last, want)
		}
		last = got
	}
}

// TestLatencyPause: each time an upstream is confirmed as slow, the next sample waits
// longer.
func TestLatencyPause(t *testing.T) {
	t.Parallel()
	const ms, s = time.Millisecond, time.Second
	var l latency
	now := int64(1e18)
	for i, step := range []struct {
		after   time.Duration
		outcome Outcome
		rtt     time.Duration
		want    time.Duration // until the next is due
	}{
		{0, Success, 500 * ms, s},
		{999 * ms, Success, 500 * ms, s}, // not lone
		{s, Success, 500 * ms, 2 * s},
		{2 * s, Success, 400 * ms, 4 * s},
		{4 * s, Unreachable, 900 * ms, 8 * s},
		{8 * s, Success, 900 * ms, 8 * s},
		{8 * s, Success, ms, s}, // its latency has changed
		{s, Ignored, ms, 0},
		{0, Success, 900 * ms, s}, // another peak
	} {
		now += int64(step.after)
		l.record(step.outcome, step.rtt, now)
		if !l.due(now + int64(step.want)) {
			t.Errorf("step %d: not due after %v", i, step.want)
		}
		if step.want > 0 && l.due(now+int64(step.want)-1) {
			t.Errorf("step %d: due before %v", i, step.want)
		}
	}
}

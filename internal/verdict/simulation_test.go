package verdict

import (
	"math"
	"math/rand/v2"
	"os"
	"testing"
)

// traffic is the traffic of one second: 100 requests, with share of them to B.
type traffic struct {
	share                float64
	failsA, failsB       float64
	slowA, slowB         float64 // share of requests slower than A's median; for B the tolerance is added
	verySlowA, verySlowB float64
	outage               func(second int) float64 // additional failure rate of both sides
}

// binomial draws the number of successes in n trials.
func binomial(r *rand.Rand, n int, p float64) (k int) {
	if p <= 0 {
		return 0
	}
	if p < 0.01 { // skips from one success to the next
		for i := 0; ; i++ {
			i += int(math.Log(1-r.Float64()) / math.Log1p(-p))
			if i >= n {
				return k
			}
			k++
		}
	}
	for range n {
		if r.Float64() < p {
			k++
		}
	}
	return k
}

func (t traffic) second(r *rand.Rand, at int) Block {
	const n = 100
	nB := binomial(r, n, t.share)
	side := func(n int, fails, slow, very float64) Side {
		s := Side{Requests: n, Timed: n, Errors: binomial(r, n, fails), Slow: binomial(r, n, slow)}
		s.VerySlow = binomial(r, s.Slow, very/slow)
		return s
	}
	more := 0.0
	if t.outage != nil {
		more = t.outage(at)
	}
	return Block{side(n-nB, t.failsA+more, t.slowA, t.verySlowA), side(nB, t.failsB+more, t.slowB, t.verySlowB)}
}

// run checks the verdict after every second. It returns the first second with the verdict
// w, 0 if there is none.
func (t traffic) run(seed uint64, seconds int, w Word) int {
	r := rand.New(rand.NewPCG(seed, 1))
	j := NewJudge(Options{Errors: 0.005, Latency: 0.25}, r)
	for at := 1; at <= seconds; at++ {
		j.Add(t.second(r, at))
		if got, _ := j.Verdict(); got == w {
			return at
		}
	}
	return 0
}

const day = 86400

// equal returns the traffic of equal sides, with B at the tolerated limit of latency.
func equal(share, fails float64) traffic {
	return traffic{share: share, failsA: fails, failsB: fails, slowA: .5, slowB: .5, verySlowA: .05, verySlowB: .05}
}

// TestFalseAlarmsPerDay checks equal sides every second of a day, at 100 requests per second.
func TestFalseAlarmsPerDay(t *testing.T) {
	days, seconds := 1, day/12
	if os.Getenv("GOODGATE_LONG") != "" {
		days, seconds = 30, day
	}
	for name, sides := range map[string]traffic{
		"1 % fail":    equal(.05, .01),
		"0.05 % fail": equal(.05, .0005),
		"halves":      equal(.5, .01),
		"a database that both use fails for a minute each hour": {share: .05, slowA: .5, slowB: .5, verySlowA: .05, verySlowB: .05,
			outage: func(s int) float64 {
				if s%3600 < 60 {
					return .4
				}
				return 0
			}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			alarms := 0
			for d := range days {
				if at := sides.run(uint64(d), seconds, Worse); at > 0 {
					alarms++
				}
			}
			t.Logf("%d of %d days had a false alarm", alarms, days)
			// With a chance of 0.6 % per day, more than 2 of 30 days have an alarm in less than 0.1 % of
			// all cases.
			if alarms > days*2/30 {
				t.Errorf("%d of %d days had a false alarm, want less than 1 %%", alarms, days)
			}
		})
	}
}

// TestFindsDifferences bounds the time until real differences are found.
func TestFindsDifferences(t *testing.T) {
	lognormal := func(median, tail float64) traffic { // B's latency relative to A's, with sigma 0.5
		over := func(threshold, times float64) float64 {
			return tailOf((math.Log(threshold*1.25) - math.Log(times)) / .5)
		}
		p95 := math.Exp(1.6449 * .5)
		x := equal(.05, 0)
		x.slowB, x.verySlowB = over(1, median), over(p95, tail)
		return x
	}
	oneFails := equal(.05, 0)
	oneFails.failsB = .01
	twice := lognormal(2, 2)
	noSlower := lognormal(1, 1)
	for _, test := range []struct {
		name   string
		sides  traffic
		want   Word
		within int // seconds, in 9 of 10 runs
	}{
		{"1 % of v2 fail, none of v1", oneFails, Worse, 180},
		{"v2 takes twice as long", twice, Worse, 40},
		{"the same", noSlower, Same, 900},
	} {
		t.Run(test.name, func(t *testing.T) {
			const runs = 60
			var took []int
			late := 0
			for i := range runs {
				at := test.sides.run(uint64(i), 4*test.within, test.want)
				took = append(took, at)
				if at == 0 || at > test.within {
					late++
				}
			}
			t.Logf("%s after a median of %d s", test.want, medianOf(took))
			if late > runs/10 {
				t.Errorf("%d of %d runs did not say %q within %d s", late, runs, test.want, test.within)
			}
		})
	}
}

// TestFindsLateRegression has a version that becomes worse after a good day.
func TestFindsLateRegression(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	j := NewJudge(Options{Errors: .005, Latency: .25}, r)
	good, bad := equal(.05, .001), equal(.05, .001)
	good.slowB, good.verySlowB = .33, .02 // as fast as A
	bad = good
	bad.failsB = .05
	for at := range day {
		j.Add(good.second(r, at))
	}
	if w, _ := j.Verdict(); w != Same {
		t.Errorf("after a good day: %s", w)
	}
	for at := range 300 {
		j.Add(bad.second(r, at))
		if w, cause := j.Verdict(); w == Worse {
			if t.Logf("worse (%s) after %d s", cause, at); cause != Errors {
				t.Errorf("worse in %s", cause)
			}
			return
		}
	}
	t.Error("5 % of requests fail for 300 s and the verdict is not worse")
}

// tailOf returns the probability of a normal value above z.
func tailOf(z float64) float64 { return math.Erfc(z/math.Sqrt2) / 2 }

func medianOf(list []int) int {
	n := 0
	for _, candidate := range list {
		below := 0
		for _, v := range list {
			if v <= candidate {
				below++
			}
		}
		if below >= len(list)/2 && (n == 0 || candidate < n) {
			n = candidate
		}
	}
	return n
}

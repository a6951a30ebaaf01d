package deploy

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"
)

// version is how an application answers, in a simulation.
type version struct {
	fails   float64                           // share of 5xx
	refuses float64                           // share of 4xx
	median  float64                           // in milliseconds
	spread  float64                           // of the logarithm of the time to an answer, in standard deviations
	second  float64                           // share of requests that take 30 times as long: another kind of page
	cold    int                               // first requests to each upstream, which take 20 times as long
	grows   func(since time.Duration) float64 // multiplies times, and the share of failures is what exceeds 10; nil = 1
}

// world is the conditions for both versions.
type world struct {
	rate  float64 // requests a second
	burst bool    // for 2 s in every 20 half of the requests fail, on both versions
	pause bool    // for half a second in every 20 all requests take 20 times as long
	steps []float64
	step  time.Duration
	watch time.Duration
	fresh int // upstreams of the new version
}

// plain are the default steps of a deploy.
var plain = world{rate: 100, steps: []float64{0.01, 0.05, 0.25, 0.5, 1}, step: 10 * time.Second, watch: time.Minute, fresh: 2}

// outcome of a simulated deploy.
type outcome struct {
	rule string // empty = it was done
	step int
	seen int // requests to the new version
	all  int
}

// simulate is one deploy, without waiting.
func simulate(r *rand.Rand, w world, old, fresh version) outcome {
	j := newJudge()
	var o outcome
	var at time.Duration
	asked := map[string]int{}
	origin := time.Unix(1e9, 0)
	step := func(i int, share float64, lasts time.Duration) bool {
		j.alone = share == 1
		for end := at + lasts; at < end; {
			at += time.Duration(r.ExpFloat64() / w.rate * float64(time.Second))
			s := Sample{Upstream: fmt.Sprint(r.IntN(w.fresh)), New: r.Float64() < share}
			v := old
			if s.New {
				v = fresh
				asked[s.Upstream]++
				o.seen++
			}
			o.all++
			v.answer(r, w, &s, at, asked[s.Upstream])
			j.add(s, origin.Add(at))
			if o.all%5 != 0 && o.seen > 50 { // looking each time only takes longer
				continue
			}
			if found := j.verdict(); found != nil {
				o.rule, o.step = found.Rule, i
				return false
			}
		}
		return true
	}
	if !step(-1, 0, 2*time.Second) { // while the new version starts
		return o
	}
	for i, share := range w.steps {
		lasts := w.step
		if i == len(w.steps)-1 {
			lasts += w.watch
		}
		if !step(i, share, lasts) {
			return o
		}
	}
	return o
}

func (v version) answer(r *rand.Rand, w world, s *Sample, at time.Duration, nth int) {
	fails, factor := v.fails, 1.0
	if v.grows != nil && s.New {
		factor = v.grows(at)
		if factor > 10 {
			fails = max(fails, min(1, factor/10-1))
		}
	}
	if w.burst && at%(20*time.Second) < 2*time.Second {
		fails = max(fails, 0.5)
	}
	if w.pause && (at+5*time.Second)%(20*time.Second) < 500*time.Millisecond {
		factor *= 20
	}
	if s.New && nth <= v.cold {
		factor *= 20
	}
	if r.Float64() < v.second {
		factor *= 30
	}
	s.Failed = r.Float64() < fails
	s.Refused = !s.Failed && r.Float64() < v.refuses
	if !s.Failed {
		s.Took = time.Duration(v.median * factor * math.Exp(r.NormFloat64()*v.spread) * float64(time.Millisecond))
	}
}

var usual = version{median: 20, spread: 0.7, refuses: 0.02, fails: 0.001}

// TestSameVersion: a deploy of the same version is hardly ever taken back.
func TestSameVersion(t *testing.T) {
	t.Parallel()
	change := func(f func(v *version)) version { v := usual; f(&v); return v }
	rate := func(n float64) world { w := plain; w.rate = n; return w }
	for name, tc := range map[string]struct {
		world   world
		version version
	}{
		"usual":                {plain, usual},
		"never fails":          {plain, change(func(v *version) { v.fails = 0 })},
		"fails often":          {plain, change(func(v *version) { v.fails = 0.05 })},
		"fails half the time":  {plain, change(func(v *version) { v.fails, v.refuses = 0.5, 0.5 })},
		"two kinds of pages":   {plain, change(func(v *version) { v.second = 0.3 })},
		"times without bounds": {plain, change(func(v *version) { v.spread = 1.8 })},
		"cold at first":        {plain, change(func(v *version) { v.cold = 5 })},
		"bursts of failures":   {func() world { w := plain; w.burst = true; return w }(), usual},
		"pauses of a machine":  {func() world { w := plain; w.pause = true; return w }(), usual},
		"few requests":         {rate(3), usual},
		"many requests":        {rate(400), usual},
		"one upstream":         {func() world { w := plain; w.fresh = 1; return w }(), usual},
		"half at once":         {func() world { w := plain; w.steps = []float64{0.5, 1}; return w }(), change(func(v *version) { v.fails = 0.02 })},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(1, 2))
			deploys := 4
			if os.Getenv("GOODGATE_LONG") != "" {
				deploys = 200
			}
			deploys = max(deploys, int(float64(deploys)*30/tc.world.rate))
			var back []outcome
			for range deploys {
				if o := simulate(r, tc.world, tc.version, tc.version); o.rule != "" {
					back = append(back, o)
				}
			}
			t.Logf("%d of %d were taken back: %v", len(back), deploys, back)
			if len(back) > deploys/100 {
				t.Errorf("%d of %d deploys of the same version were taken back, want 1 %% at most: %v", len(back), deploys, back)
			}
		})
	}
}

// TestBrokenVersion: one that is worse is found before many have met it.
func TestBrokenVersion(t *testing.T) {
	t.Parallel()
	change := func(f func(v *version)) version { v := usual; f(&v); return v }
	for name, tc := range map[string]struct {
		version version
		rule    string
		most    int // requests that have met it, in 95 % of the deploys
		step    int // the last in which it is found
	}{
		"always fails":      {change(func(v *version) { v.fails = 1 }), "fails", 4, 0},
		"fails every third": {change(func(v *version) { v.fails = 0.33 }), "fails", 25, 1},
		"fails every tenth": {change(func(v *version) { v.fails = 0.1 }), "fails", 200, 2},
		"refuses":           {change(func(v *version) { v.refuses = 1 }), "refuses", 10, 1},
		"ten times slower":  {change(func(v *version) { v.median *= 10 }), "slow", 20, 1},
		"three times":       {change(func(v *version) { v.median *= 3 }), "slow", 50, 1},
		"leaks": {change(func(v *version) {
			v.grows = func(t time.Duration) float64 { return math.Exp(max(0, t.Seconds()-15) / 10) }
		}), "slow", 3000, 4},
		"dies at last": {change(func(v *version) {
			v.grows = func(t time.Duration) float64 {
				if t < 75*time.Second {
					return 1
				}
				return 100
			}
		}), "fails", 10_000, 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(3, 4))
			var seen []int
			last, runs := 0, 10
			if os.Getenv("GOODGATE_LONG") != "" {
				runs = 200
			}
			for range runs {
				o := simulate(r, plain, usual, tc.version)
				if o.rule != tc.rule {
					t.Fatalf("got %+v, want a verdict by %q", o, tc.rule)
				}
				seen = append(seen, o.seen)
				last = max(last, o.step)
			}
			slices.Sort(seen)
			t.Logf("seen by %d, %d in the middle, %d at most; step %d at last", seen[0], seen[runs/2], seen[runs-1], last)
			if seen[runs*95/100-1] > tc.most || last > tc.step {
				t.Errorf("seen by %d requests, and found in step %d at last; want %d and %d at most", seen[runs*95/100-1], last, tc.most, tc.step)
			}
		})
	}
}

// TestBrokenVersionWithoutComparison: a version that fails all requests is rolled back,
// although the old one had almost no requests at the same time.
func TestBrokenVersionWithoutComparison(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		old, oldFails, fails, of int
		want                     bool
	}{
		{0, 0, 40, 40, true},
		{1, 0, 40, 40, true},
		{4, 0, 40, 40, true},
		{1, 1, 40, 40, false}, // neither is known to be better
		{4, 2, 40, 40, false},
		{1, 0, 20, 40, false},
		{1, 0, 4, 4, false},
	} {
		j, now := newJudge(), time.Now()
		for i := range tc.old {
			j.add(Sample{Failed: i < tc.oldFails}, now)
		}
		j.alone = true
		for i := range tc.of {
			j.add(Sample{New: true, Upstream: "new", Failed: i < tc.fails}, now)
		}
		if v := j.verdict(); (v != nil) != tc.want {
			t.Errorf("the old one failed %d of %d, the new one %d of %d: %+v", tc.oldFails, tc.old, tc.fails, tc.of, v)
		}
	}
}

// TestPauseWhileAlone: slowness of a moment does not condemn a version that is alone;
// lasting slowness does.
func TestPauseWhileAlone(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		slow time.Duration // the first requests are slow for this long
		lull time.Duration // between the old version's last request and the new one's first
		want bool
	}{
		{300 * time.Millisecond, 0, false},
		{800 * time.Millisecond, 0, false},
		{800 * time.Millisecond, 20 * time.Second, false},
		{5 * time.Second, 0, true},
		{5 * time.Second, 20 * time.Second, true},
	} {
		j, now := newJudge(), time.Unix(1e9, 0)
		const gap = 5 * time.Millisecond
		for range 400 {
			now = now.Add(gap)
			j.add(Sample{Upstream: "old", Took: 6 * time.Millisecond}, now)
		}
		j.alone = true
		now = now.Add(tc.lull)
		var found *Verdict
		for at := time.Duration(0); at < 6*time.Second && found == nil; at += gap {
			took := 6 * time.Millisecond
			if at < tc.slow {
				took *= 10
			}
			j.add(Sample{New: true, Upstream: "new", Took: took}, now.Add(at))
			found = j.verdict()
		}
		if (found != nil) != tc.want {
			t.Errorf("slow for %v after %v: verdict %+v", tc.slow, tc.lull, found)
		}
	}
}

// TestInWords: no exponent, however long a request takes.
func TestInWords(t *testing.T) {
	t.Parallel()
	for ms, want := range map[float64]string{0: "0 ms", 5.81: "5.81 ms", 20.25: "20.25 ms", 999.96: "1000 ms", 9999.6: "10.0 s", 30_000.12: "30.0 s", 120_000: "120.0 s"} {
		if got := InWords(ms); got != want {
			t.Errorf("%v: got %q, want %q", ms, got, want)
		}
	}
}

package balancer

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// finds are the default outlier rules.
var finds = OutlierOptions{Enabled: true, MinRequests: 20, FailureRatio: 0.1, SlowFactor: 5, SlowBy: 50 * time.Millisecond}

// script describes a member's answers: the share of failures, and the time to an answer
// with noise.
type script struct {
	fails float64
	takes func() time.Duration
	dice  *rand.Rand // for what fails; nil = other dice in every run
}

// roll returns a number below 1.
func (s script) roll() float64 {
	if s.dice != nil {
		return s.dice.Float64()
	}
	return rand.Float64()
}

func around(d time.Duration) func() time.Duration {
	return func() time.Duration { return time.Duration(float64(d) * math.Exp(rand.NormFloat64()/2)) }
}

// play sends rate requests a second for d, and returns how many each member got.
func play(t *testing.T, p *Pool, rate int, d time.Duration, scripts map[string]script) map[string]int {
	t.Helper()
	got := map[string]int{}
	for range int(d.Seconds() * float64(rate)) {
		time.Sleep(time.Second / time.Duration(rate))
		m := p.Pick(&Choice{Replayable: true})
		s, ok := scripts[m.Addr()]
		if !ok {
			s = script{takes: around(2 * time.Millisecond)}
		}
		o, took := Success, s.takes()
		if s.roll() < s.fails {
			o = Failure
		}
		l, ok := m.TryAcquire()
		if !ok {
			continue
		}
		got[m.Addr()]++
		time.AfterFunc(took, func() {
			l.Report(o, took)
			l.Release()
		})
	}
	return got
}

// TestSlowOutlier: a member that is much slower than the others keeps hardly any traffic.
// All of its share returns when it is fast again.
func TestSlowOutlier(t *testing.T) {
	for policy, sizes := range map[string][]int{"round_robin": {2, 3, 8}, "random": {3}, "p2c": {2, 3}, "least_conn": {2, 3}} {
		for _, n := range sizes {
			if raceEnabled && n > 2 {
				continue
			}
			synctest.Test(t, func(t *testing.T) {
				o := Options{Policy: policy, Outlier: finds, SlowStart: time.Second}
				got := findings(&o)
				p := newTestPool(t, o, specsOf(n)...)
				defer p.Update(nil)
				slow := map[string]script{addr(0): {takes: around(2 * time.Second)}}
				rate := 40 * n
				play(t, p, rate, 5*time.Second, nil)
				play(t, p, rate, 15*time.Second, slow)
				if share := play(t, p, rate, 60*time.Second, slow)[addr(0)]; share > 2400/15 {
					t.Errorf("%s, %d members, slow: got %d of its 2400 requests, want less than a fifteenth", policy, n, share)
				}
				play(t, p, rate, 40*time.Second, nil)
				if share := play(t, p, rate, 20*time.Second, nil)[addr(0)]; share < 600 {
					t.Errorf("%s, %d members, fast again: got %d of its 800 requests", policy, n, share)
				}
				// The others see its requests in flight, and may send it too few to
				// measure it.
				if want := []FindingKind{Slow, Slow + 100}; !slices.Equal(*got, want) && (len(*got) > 0 || policy == "round_robin") {
					t.Errorf("%s, %d members: got findings %v, want %v", policy, n, *got, want)
				}
			})
		}
	}
}

// TestSlowOutlierByStep: the rule looks at how much slower, and by how much.
func TestSlowOutlierByStep(t *testing.T) {
	const ms = time.Millisecond
	f := func(name string, want bool, one, others func() time.Duration, change func(*Options)) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			o := Options{Policy: "round_robin", Outlier: finds}
			if change != nil {
				change(&o)
			}
			p := newTestPool(t, o, specsOf(3)...)
			defer p.Update(nil)
			play(t, p, 300, 12*time.Second, map[string]script{addr(0): {takes: one}, addr(1): {takes: others}, addr(2): {takes: others}})
			for i := range p.Members() {
				if got := p.Members()[i].slowness.on(); got != (want && i == 0) {
					t.Errorf("%s, member %d: got %v", name, i, got)
				}
			}
			time.Sleep(10 * time.Second)
		})
	}
	// Few requests take long, as in an application that does many things.
	mixed := func() time.Duration {
		if rand.IntN(4) == 0 {
			return around(2 * time.Second)()
		}
		return around(2 * ms)()
	}
	f("much slower", true, around(100*ms), around(10*ms), nil)
	f("four times", false, around(400*ms), around(100*ms), nil)
	f("slower by little", false, around(40*ms), around(2*ms), nil)
	f("all alike", false, around(100*ms), around(100*ms), nil)
	f("all alike, and of many sorts", false, mixed, mixed, nil)
	f("faster", false, around(ms), around(200*ms), nil)
	f("switched off", false, around(100*ms), around(10*ms), func(o *Options) { o.Outlier.Enabled = false })
	f("no such rule", false, around(100*ms), around(10*ms), func(o *Options) { o.Outlier.SlowFactor = 0 })
	for _, policy := range []string{"hash", "sticky", "first"} {
		f(policy, false, around(100*ms), around(10*ms), func(o *Options) { o.Policy = policy })
	}
}

// TestSlowOutlierIsEjectedLonger: a member counts as slow for longer with each finding.
func TestSlowOutlierIsEjectedLonger(t *testing.T) {
	t.Parallel()
	var s slowness
	now := time.Unix(1e9, 0)
	for i, want := range []time.Duration{10, 20, 40, 80, 160, 300, 300} {
		s.begin(now, 0.1)
		s.begin(now.Add(time.Second), 0.2)
		if got := s.until.Sub(now); got != want*time.Second {
			t.Errorf("time %d: got %v, want %v", i, got, want*time.Second)
		}
		now = s.until
		s.end(now)
	}
	now = now.Add(slowForMax + 1)
	if s.begin(now, 0.1); s.until.Sub(now) != slowFor {
		t.Errorf("after a long time without: got %v, want %v", s.until.Sub(now), slowFor)
	}
}

// TestFailureOutlier: a member that fails more than the others is ejected although its
// breaker's own rules do not notice. None is ejected when all fail alike.
func TestFailureOutlier(t *testing.T) {
	f := func(name string, n int, want int, scripts func(i int) float64, change func(*Options)) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			o := Options{Policy: "round_robin", Outlier: finds, MaxEjected: 0.5, Breaker: usual}
			if change != nil {
				change(&o)
			}
			p := newTestPool(t, o, specsOf(n)...)
			defer p.Update(nil)
			by := map[string]script{}
			for i := range n {
				// The same dice in every run: a bound on chance is met by chance.
				by[addr(i)] = script{fails: scripts(i), takes: around(2 * time.Millisecond), dice: rand.New(rand.NewPCG(uint64(n), uint64(i)))}
			}
			ejected := map[string]bool{}
			for range 20 {
				play(t, p, 60*n, time.Second, by)
				for i := range p.Members() {
					if m := &p.Members()[i]; m.Breaker() != Closed {
						ejected[m.Addr()] = true
					}
				}
			}
			if len(ejected) != want || want == 1 && !ejected[addr(0)] {
				t.Errorf("%s, %d members: ejected %v, want %d of them", name, n, ejected, want)
			}
			time.Sleep(time.Second)
		})
	}
	one := func(bad, others float64) func(int) float64 {
		return func(i int) float64 {
			if i == 0 {
				return bad
			}
			return others
		}
	}
	for _, n := range []int{2, 3, 10} {
		f("a third", n, 1, one(0.33, 0), nil)
		f("a third, others a few", n, 1, one(0.33, 0.02), nil)
		f("a few", n, 0, one(0.04, 0), nil)
		alone := func(o *Options) { o.Breaker = BreakerOptions{Enabled: true, Consecutive: 1000} }
		f("all a fifth", n, 0, one(0.2, 0.2), alone)
		f("all a fifth, one a little more", n, 0, one(0.22, 0.2), alone)
		f("switched off", n, 0, one(0.2, 0), func(o *Options) { o.Outlier.Enabled, o.Breaker.Consecutive, o.Breaker.FailureRatio = false, 1000, 0 })
		f("no breaker", n, 0, one(0.33, 0), func(o *Options) { o.Breaker.Enabled = false })
	}
}

func TestFailureRange(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ n, failed, low, high float64 }{
		{0, 0, 0, 1},
		{10, 0, 0, 0.474},
		{10, 10, 0.526, 1},
		{100, 20, 0.107, 0.343},
		{10000, 2000, 0.188, 0.212},
	} {
		low, high := results{answered: tt.n - tt.failed, failed: tt.failed}.failureRange()
		if math.Abs(low-tt.low) > 0.001 || math.Abs(high-tt.high) > 0.001 {
			t.Errorf("%v of %v: got %.3f to %.3f, want %.3f to %.3f", tt.failed, tt.n, low, high, tt.low, tt.high)
		}
	}
}

func TestHistory(t *testing.T) {
	t.Parallel()
	var ta history
	now := int64(1e18)
	for range 20 { // 20 s, of which ten are in the span
		ta.add(Success, 4*time.Millisecond, now)
		ta.add(Success, 16*time.Millisecond, now)
		ta.add(Failure, time.Hour, now)
		now += int64(time.Second)
	}
	now -= int64(time.Second)
	r := ta.results(now)
	if r.answered != 20 || r.failed != 10 || r.streak != -1 {
		t.Errorf("got %v answered, %v failed, streak %d, want 20, 10, -1", r.answered, r.failed, r.streak)
	}
	if got := durationOf(r.mean()); got < 7*time.Millisecond || got > 9*time.Millisecond {
		t.Errorf("typical time: got %v, want about 8ms", got)
	}
	if got := math.Sqrt(r.variance() * 20); got < 0.9 || got > 1.1 {
		t.Errorf("deviation: got %v powers of two, want about 1", got)
	}
	for d := time.Duration(1); d < time.Hour; d = d*3/2 + 1 {
		l := logOf(d)
		if back := durationOf(l); l > math.Log2(float64(d)) || l < math.Log2(float64(d))-0.09 || back < d-d/1000-1 || back > d+d/1000+1 {
			t.Errorf("%v: got %v and back %v", d, l, back)
		}
	}
	if r := ta.results(now + int64(historySpan)); r.n() != 0 {
		t.Errorf("after the span: got %v, want none", r.n())
	}
}

func BenchmarkJudge(b *testing.B) {
	p := newTestPool(b, Options{Outlier: finds, Breaker: usual}, specsOf(10000)...)
	for i := range p.Members() {
		attempt(b, &p.Members()[i], Success)
	}
	b.ReportAllocs()
	for b.Loop() {
		p.judge()
	}
}

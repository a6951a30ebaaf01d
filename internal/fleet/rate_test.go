package fleet_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/fleet"
	"github.com/goodgate/goodgate/internal/limit"
)

// limiters returns the same rate of each instance.
func limiters(all []*instance, o fleet.RateOptions) (list []*fleet.Rate) {
	for _, i := range all {
		list = append(list, i.NewRate(o))
	}
	return list
}

// flood sends requests with one key, perSecond[i] to instance i, at random times. It
// returns how many each instance admitted.
func flood(rates []*fleet.Rate, perSecond []float64, key uint64, d time.Duration) (let []int) {
	const step = time.Millisecond
	let = make([]int, len(rates))
	rnd := rand.New(rand.NewPCG(1, key))
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(step) {
		for i, r := range rates {
			for due := perSecond[i] * step.Seconds(); due > 0; due-- {
				if rnd.Float64() < due && r.Allow(key, time.Now()).OK {
					let[i]++
				}
			}
		}
	}
	return let
}

func equal(n int, perSecond float64) (all []float64) {
	for range n {
		all = append(all, perSecond)
	}
	return all
}

func sum(list []int) (n int) {
	for _, v := range list {
		n += v
	}
	return n
}

// TestRateOfFleet checks that eight instances together admit as much as one would, for
// any distribution of the requests.
func TestRateOfFleet(t *testing.T) {
	const rate, burst, seconds = 100, 100, 20
	for _, tc := range []struct {
		name string
		ask  []float64
		want float64
	}{
		{"equal flood", equal(8, 200), burst + rate*seconds},
		{"a little too much", equal(8, 15), burst + rate*seconds},
		{"a little too much at two", []float64{60, 60, 0, 0, 0, 0, 0, 0}, burst + rate*seconds},
		{"a flood on one instance", []float64{2000, 5, 5, 5, 5, 5, 5, 5}, burst + rate*seconds},
		{"requests to one instance only", []float64{1000, 0, 0, 0, 0, 0, 0, 0}, burst + rate*seconds},
		{"within the rate", equal(8, 10), 80 * seconds},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inFleet(t, 8, func(t *testing.T, m *fleet.Memory, all []*instance) {
				rates := limiters(all, fleet.RateOptions{Place: "r", PerSecond: rate, Burst: burst})
				let := flood(rates, tc.ask, 7, seconds*time.Second)
				got := float64(sum(let))
				t.Logf("let in %v = %v, %+.1f%%", let, got, 100*(got/tc.want-1))
				if got > tc.want*1.03 || got < tc.want*0.9 {
					t.Errorf("%v were let in, want %v", got, tc.want)
				}
			})
		})
	}
}

// TestRateWithoutEngine checks that a fleet that was connected admits about the rate
// while the engine is away, and not much more when it is back.
func TestRateWithoutEngine(t *testing.T) {
	const rate, burst = 100, 100
	inFleet(t, 4, func(t *testing.T, m *fleet.Memory, all []*instance) {
		rates := limiters(all, fleet.RateOptions{Place: "r", PerSecond: rate, Burst: burst})
		ask := equal(4, 100)
		flood(rates, ask, 7, 5*time.Second)
		for _, step := range []struct {
			what  string
			do    func()
			extra int // that an empty store admits once
		}{{"away", func() { m.Fail(errAway) }, 0}, {"back", func() { m.Fail(nil) }, 0}, {"flushed", m.Flush, burst / 4}} {
			step.do()
			got := sum(flood(rates, ask, 7, 10*time.Second))
			t.Logf("%s: let in %d of %d", step.what, got, rate*10)
			if got > rate*10*11/10+step.extra || got < rate*10*8/10 {
				t.Errorf("%s: %d were let in in 10 s, want %d", step.what, got, rate*10)
			}
		}
	})
}

func TestRateExact(t *testing.T) {
	o := fleet.RateOptions{Place: "login", PerSecond: 5.0 / 60, Burst: 5, Exact: true}
	inFleet(t, 4, func(t *testing.T, m *fleet.Memory, all []*instance) {
		rates := limiters(all, o)
		if got := sum(flood(rates, equal(4, 50), 7, time.Second)); got != 5 {
			t.Errorf("%d were let in, want 5", got)
		}
		v := rates[0].Allow(7, time.Now())
		if v.OK || v.Retry < 5*time.Second || v.Retry > 12*time.Second || v.Remaining != 0 {
			t.Errorf("got %+v", v)
		}
		m.Fail(errAway)
		if got := sum(flood(rates, equal(4, 50), 8, time.Second)); got < 4 || got > 8 {
			t.Errorf("without the engine %d were let in of another key, want about 5", got)
		}
	})
}

// TestRateOfFew checks that clients with few requests are admitted, without cost for
// the engine.
func TestRateOfFew(t *testing.T) {
	inFleet(t, 4, func(t *testing.T, m *fleet.Memory, all []*instance) {
		rates := limiters(all, fleet.RateOptions{Place: "r", PerSecond: 100, Burst: 100})
		before, since := m.Calls(), time.Now()
		for range 100 {
			for key := range uint64(100) {
				if v := rates[key%4].Allow(key, time.Now()); !v.OK {
					t.Fatalf("refused: %+v", v)
				}
			}
			time.Sleep(2 * time.Second)
		}
		idle := int(time.Since(since).Seconds()) * 4 * 3 // two of a beat, and what reads words
		if calls := m.Calls() - before; calls > idle {
			t.Errorf("%d calls for 10000 requests, want at most %d, of idle instances", calls, idle)
		}
	})
}

// TestRateForgets checks the limit on keys.
func TestRateForgets(t *testing.T) {
	inFleet(t, 1, func(t *testing.T, m *fleet.Memory, all []*instance) {
		r := all[0].NewRate(fleet.RateOptions{Place: "r", PerSecond: 1, Burst: 2, MaxKeys: 256})
		let := 0
		for i := range uint64(10_000) {
			if r.Allow(0, time.Now()).OK {
				let++
			}
			r.Allow(1+i, time.Now())
		}
		if n := r.Keys(); n > 256 || let > 20 {
			t.Errorf("%d keys are kept, and the limited key was let in %d times", n, let)
		}
		time.Sleep(time.Second)
	})
}

// TestRateAlone checks that a single instance decides like a local rate.
func TestRateAlone(t *testing.T) {
	inFleet(t, 1, func(t *testing.T, m *fleet.Memory, all []*instance) {
		o := limit.RateOptions{PerSecond: 10, Burst: 3}
		own := limit.NewRates(o)
		shared := all[0].NewRate(fleet.RateOptions{Place: "r", PerSecond: o.PerSecond, Burst: o.Burst})
		for i := range 200 {
			now := time.Now()
			a, b := own.Allow(1, now), shared.Allow(1, now)
			if a.OK != b.OK || a.Remaining != b.Remaining {
				t.Fatalf("request %d: got %+v, want %+v", i, b, a)
			}
			time.Sleep(time.Duration(20+i%90) * time.Millisecond)
		}
	})
}

func BenchmarkRate(b *testing.B) {
	f, err := fleet.New(fleet.Options{Engine: fleet.NewMemory(), Secret: []byte(secret)})
	if err != nil {
		b.Fatal(err)
	}
	r := f.NewRate(fleet.RateOptions{Place: "r", PerSecond: 1e6, Burst: 1e6})
	b.ReportAllocs()
	for b.Loop() {
		r.Allow(7, time.Now())
	}
}

func BenchmarkHash(b *testing.B) {
	f, err := fleet.New(fleet.Options{Engine: fleet.NewMemory(), Secret: []byte(secret)})
	if err != nil {
		b.Fatal(err)
	}
	var client [16]byte
	b.ReportAllocs()
	for b.Loop() {
		f.Hash(client[:])
	}
}

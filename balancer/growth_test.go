package balancer

import (
	"testing"
	"time"
)

// TestGrowth feeds windows and checks which of them are evidence of an overload.
func TestGrowth(t *testing.T) {
	t.Parallel()
	calm := window{waits: 8, end: 8, answers: 30, seconds: 0.1, low: 10 * time.Millisecond}
	for _, test := range []struct {
		name  string
		calm  int
		grows func(i int) window // the windows that follow
		want  bool
	}{
		{"more wait, later, and no more are answered", 5, func(i int) window {
			return window{waits: float64(20 + 40*i), end: float64(40 + 40*i), answers: 30, seconds: 0.1, low: time.Duration(100+100*i) * time.Millisecond}
		}, true},
		{"the same when nothing was known before", 0, func(i int) window {
			return window{waits: float64(20 + 40*i), end: float64(40 + 40*i), answers: 30, seconds: 0.1, low: time.Duration(100+100*i) * time.Millisecond}
		}, true},
		{"answers are as fast as before", 5, func(i int) window {
			return window{waits: float64(20 + 40*i), end: float64(40 + 40*i), answers: 30, seconds: 0.1, low: 10 * time.Millisecond}
		}, false},
		{"more are answered", 5, func(i int) window {
			return window{waits: float64(20 + 40*i), end: float64(40 + 40*i), answers: float64(60 * (1 + i)), seconds: 0.1, low: time.Duration(100+100*i) * time.Millisecond}
		}, false},
		{"answers slow down with the number of waiting requests", 5, func(i int) window {
			return window{waits: float64(20 + 40*i), end: float64(40 + 40*i), answers: float64(4 + 8*i), seconds: 0.1, low: time.Duration(100+100*i) * time.Millisecond}
		}, false},
		{"many at once", 5, func(i int) window {
			return window{waits: 300, end: float64(300 - 30*i), answers: 30, seconds: 0.1, low: time.Duration(100+100*i) * time.Millisecond}
		}, false},
		{"little by little", 5, func(i int) window {
			return window{waits: float64(20 + 2*i), end: float64(20 + 2*i), answers: 30, seconds: 0.1, low: time.Duration(100+10*i) * time.Millisecond}
		}, false},
	} {
		var g growth
		for range test.calm {
			g.add(calm)
		}
		found := 0.0
		for i := range 12 {
			if found = g.add(test.grows(i)); found > 0 {
				break
			}
		}
		if (found > 0) != test.want {
			t.Errorf("%s: the pool is saturated by %.1f, want evidence %t", test.name, found, test.want)
		}
	}
}

func TestSpectrum(t *testing.T) {
	t.Parallel()
	var s spectrum
	if got := s.quantile(0.5); got != 0 {
		t.Errorf("of nothing: got %v", got)
	}
	for i := range 100 {
		s.add(time.Duration(i+1) * time.Millisecond)
	}
	s.add(-1)
	s.add(10 * time.Hour)
	if n := s.count(); n != 102 {
		t.Errorf("counted %d, want 102", n)
	}
	if got := s.quantile(0.2); got < 15*time.Millisecond || got > 22*time.Millisecond {
		t.Errorf("a fifth took no more than %v, want about 20 ms", got)
	}
	s.clear()
	if n := s.count(); n != 0 {
		t.Errorf("counted %d after clear", n)
	}
}

// BenchmarkProtected measures the cost of an answer for a pool with and without
// protection.
func BenchmarkProtected(b *testing.B) {
	for name, protect := range map[string]bool{"on": true, "off": false} {
		b.Run(name, func(b *testing.B) {
			p := newTestPool(b, Options{Protect: protect}, specsOf(3)...)
			u := p.Members()[0].Upstream
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					p.headed(u, Success, 10*time.Millisecond, time.Now().UnixNano())
				}
			})
		})
	}
}

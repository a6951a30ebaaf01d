package balancer

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// traffic sends 100 requests a second for d, one after the other, to the members that the
// pool picks. It returns how many each member got. rtt is a member's mean time to an
// answer; each answer varies by a third.
func traffic(t *testing.T, p *Pool, d time.Duration, replayable bool, rtt func(*Member) time.Duration) map[string]int {
	t.Helper()
	got := map[string]int{}
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		m := p.Pick(&Choice{Replayable: replayable})
		took := time.Duration(float64(rtt(m)) * (2 + 2*rand.Float64()) / 3)
		l := acquire(t, m, 1)
		go func() {
			time.Sleep(took)
			l.Report(Success, took)
			l.Release()
		}()
		got[m.Addr()]++
	}
	return got
}

// TestPeakEWMAForgivesOneTimeout: an upstream with one timeout is back within seconds,
// before its average has faded.
func TestPeakEWMAForgivesOneTimeout(t *testing.T) {
	for _, replayable := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			p := newTestPool(t, Options{Policy: "peak_ewma"}, specsOf(3)...)
			fast := func(*Member) time.Duration { return time.Millisecond }
			traffic(t, p, time.Second, true, fast)
			l := acquire(t, &p.Members()[0], 1)
			time.Sleep(500 * time.Millisecond)
			l.Report(Unreachable, 500*time.Millisecond)
			l.Release()
			if got := traffic(t, p, time.Second-time.Millisecond, replayable, fast)[addr(0)]; got != 0 {
				t.Errorf("replayable %v, within a second: got %d requests, want none", replayable, got)
			}
			most := 0 // in one of the seconds; chance alone moves when it is back by a few
			for range 9 {
				most = max(most, traffic(t, p, time.Second, replayable, fast)[addr(0)])
			}
			if replayable && most < 20 {
				t.Errorf("after 10 s: got at most %d of 100 requests a second, want about a third", most)
			}
			if !replayable && most != 0 {
				t.Errorf("nothing can be sent again, after 10 s: got %d requests a second, want none", most)
			}
		})
	}
}

// TestPeakEWMAAvoidsTheSlow: an upstream that stays slow gets one request every few
// seconds.
func TestPeakEWMAAvoidsTheSlow(t *testing.T) {
	for _, slow := range []time.Duration{50 * time.Millisecond, 500 * time.Millisecond, 5 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			p := newTestPool(t, Options{Policy: "peak_ewma"}, specsOf(3)...)
			rtt := func(m *Member) time.Duration {
				if m.Addr() == addr(0) {
					return slow
				}
				return time.Millisecond
			}
			traffic(t, p, 10*time.Second, true, rtt)
			if got := traffic(t, p, 80*time.Second, true, rtt)[addr(0)]; got < 4 || got > 20 {
				t.Errorf("%v: got %d of 8000 requests, want about ten", slow, got)
			}
			time.Sleep(10 * time.Second)
		})
	}
}

package balancer

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func standBy(t *testing.T, p *Pool) *Waiter {
	t.Helper()
	w, err := p.Standby(0, &Pause{WaitLimits: WaitLimits{Requests: 10000}})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// TestPauseEndsByItself: a pause ends at its end, or at the end of the pause that has
// replaced it.
func TestPauseEndsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newTestPool(t, Options{}, specsOf(1)...)
		p.Pause(Pause{Until: time.Now().Add(time.Second)})
		time.Sleep(time.Second - 1)
		if p.Paused() == nil {
			t.Fatal("it ended early")
		}
		p.Pause(Pause{Until: time.Now().Add(time.Minute)})
		w := standBy(t, p)
		time.Sleep(time.Minute - 1)
		if p.Paused() == nil || signalled(w) {
			t.Fatal("the second ended with the first")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if p.Paused() != nil || !signalled(w) {
			t.Error("it lasts")
		}
		w.Leave()
		p.Pause(Pause{})
		time.Sleep(1000 * time.Hour)
		if p.Paused() == nil {
			t.Error("one without an end has ended")
		}
		p.Resume()
		p.Resume()
		if p.Paused() != nil {
			t.Error("it was not resumed")
		}
	})
}

// TestResumeIsPaced: of 5,000 waiting requests, no more continue than the upstreams
// finish, however slow they are. With fast upstreams all continue soon.
func TestResumeIsPaced(t *testing.T) {
	for name, tc := range map[string]struct {
		takes  time.Duration
		most   int64         // at once
		within time.Duration // all are served
	}{
		"fast": {5 * time.Millisecond, 4096, time.Second},
		"slow": {300 * time.Millisecond, 500, 5 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := newTestPool(t, Options{}, specsOf(2)...)
			p.Pause(Pause{})
			var wg sync.WaitGroup
			var most int64
			var mu sync.Mutex
			for range 5000 {
				w := standBy(t, p)
				wg.Go(func() {
					<-w.C
					m := p.Pick(&Choice{})
					lease, ok := m.TryAcquire()
					w.Leave()
					if !ok {
						t.Error("no lease")
					}
					mu.Lock()
					most = max(most, int64(p.InFlight()))
					mu.Unlock()
					time.Sleep(tc.takes)
					lease.Release()
				})
			}
			synctest.Wait()
			began := time.Now()
			p.Resume()
			wg.Wait()
			if took := time.Since(began); most > tc.most || took > tc.within || p.OnStandby() != 0 {
				t.Errorf("%s: %d at once, want %d at most; %v, want %v; %d are left", name, most, tc.most, took, tc.within, p.OnStandby())
			}
			t.Logf("%s: %d at once, %v", name, most, time.Since(began))
		})
	}
}

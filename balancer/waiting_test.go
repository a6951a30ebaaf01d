package balancer

import (
	"testing"
	"testing/synctest"
	"time"
)

// Formerly an upstream that began to hang looked as fast as before until its first
// request timed out, and drew its share of requests until then.
func TestHangingUpstreamLosesTrafficAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newTestPool(t, Options{Policy: "peak_ewma"}, specsOf(2)...)
		m := p.Members()
		for i := range m {
			l := acquire(t, &m[i], 1)
			l.Report(Success, time.Millisecond)
			l.Release()
		}
		hangs := acquire(t, &m[0], 1)
		time.Sleep(10 * time.Millisecond)
		if got := counts(p, 1000, Choice{})[addr(0)]; got > 0 {
			t.Errorf("while a request hangs: %d of 1000 picks, want 0", got)
		}
		hangs.Report(Success, time.Millisecond) // the header; a stream may go on
		if got := counts(p, 1000, Choice{})[addr(0)]; got != 0 {
			t.Errorf("while a stream goes on beside an idle member of the same latency: %d of 1000 picks, want 0", got)
		}
		time.Sleep(time.Minute)
		other := acquire(t, &m[1], 3)
		other.Report(Success, time.Millisecond)
		m[0].latency.record(Success, time.Millisecond, time.Now().UnixNano())
		if got := counts(p, 1000, Choice{})[addr(0)]; got != 1000 {
			t.Errorf("an open stream against three: %d of 1000 picks, want all: it is not waiting", got)
		}
		hangs.Release()
	})
}

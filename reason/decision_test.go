package reason

import "testing"

// TestUnretried: a client is at fault only for its own failures, and only an upstream's
// failure may be retried.
func TestUnretried(t *testing.T) {
	t.Parallel()
	for r := None + 1; r < numReasons; r++ {
		got := r.Unretried()
		if (got == ClientsFault) != (r.Fault() == FaultClient) {
			t.Errorf("%v: got %v, and its fault is %v", r, got, r.Fault())
		}
		if (got == Retried) != (r.Fault() == FaultUpstream) {
			t.Errorf("%v: got %v, and its fault is %v", r, got, r.Fault())
		}
	}
	for r, want := range map[Reason]Decision{ShuttingDown: OutOfTime, Overloaded: Strained, Internal: OwnFault, UpgradeUnsupported: OwnFault, LoopDetected: OwnFault} {
		if got := r.Unretried(); got != want {
			t.Errorf("%v: got %v, want %v", r, got, want)
		}
	}
}

package balancer

import (
	"testing"
	"time"
)

func TestLeaseMisuse(t *testing.T) {
	t.Parallel()
	p := newTestPool(t, ejecting(1), specsOf(2)...)
	m := &p.Members()[0]
	l := acquire(t, m, 1)
	l.Release()
	l.Release()
	l.Report(Unreachable, time.Second)
	var zero Lease
	zero.Report(Failure, 1)
	zero.Release()
	if m.InFlight() != 0 || p.InFlight() != 0 {
		t.Errorf("in flight: got %d and %d, want 0", m.InFlight(), p.InFlight())
	}
	if m.Breaker() != Closed || m.Latency() != 0 {
		t.Error("a report after the release must say nothing")
	}
}

// TestLeaseReports: a body that breaks after a good header counts as a failure, and a
// success reported twice counts once.
func TestLeaseReports(t *testing.T) {
	t.Parallel()
	p := newTestPool(t, ejecting(1), specsOf(2)...)
	m := &p.Members()[0]
	l := acquire(t, m, 1)
	l.Report(Success, time.Millisecond)
	l.Report(Success, time.Millisecond)
	if got := m.breaker.cb.Load().Counts().TotalSuccesses; got != 1 {
		t.Errorf("successes: got %d, want 1", got)
	}
	l.Report(Failure, time.Millisecond)
	if got := m.Breaker(); got != Open {
		t.Errorf("got %v, want open", got)
	}
	l.Release()
	p.Update(nil)
}

func TestLeaseLimit(t *testing.T) {
	t.Parallel()
	p := newTestPool(t, Options{}, Spec{Addr: addr(0), MaxInFlight: 2})
	m := &p.Members()[0]
	l := acquire(t, m, 2)
	if _, ok := m.TryAcquire(); ok {
		t.Error("third of two: got true")
	}
	if got := m.InFlight(); got != 2 {
		t.Errorf("in flight: got %d, want 2", got)
	}
	l.Release()
	acquire(t, m, 1)
}

// TestNudge: an attempt without an answer asks for one probe.
func TestNudge(t *testing.T) {
	t.Parallel()
	p := newTestPool(t, Options{}, specsOf(1)...)
	m := &p.Members()[0]
	attempt(t, m, Failure)
	if got := len(m.Nudged()); got != 0 {
		t.Errorf("after a failure: got %d signals, want 0", got)
	}
	attempt(t, m, Unreachable)
	attempt(t, m, Unreachable)
	if got := len(m.Nudged()); got != 1 {
		t.Errorf("after no answer: got %d signals, want 1", got)
	}
}

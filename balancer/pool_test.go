package balancer

import (
	"io"
	"strings"
	"testing"
	"time"
)

func TestNewPoolUnknownPolicy(t *testing.T) {
	t.Parallel()
	_, err := NewPool(Options{Name: "api", Policy: "fastest"})
	if err == nil {
		t.Fatal("got nil, want an error")
	}
	for _, part := range []string{"api", "fastest", "peak_ewma"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not name %q", err, part)
		}
	}
}

func TestUpdateKeepsState(t *testing.T) {
	t.Parallel()
	o := ejecting(0.5)
	o.Checked = true
	p := newTestPool(t, o, specsOf(4)...)
	m := p.Members()
	for i := range m {
		m[i].ObserveProbe(Passed, Thresholds{})
	}
	attempt(t, &m[0], Failure)
	report(t, &m[1], Success, time.Millisecond)
	m[2].SetOperator(Drain)
	lease := acquire(t, &m[3], 1)
	before := [...]*Upstream{m[0].Upstream, m[1].Upstream, m[2].Upstream, m[3].Upstream}

	specs := specsOf(5)
	for i := range specs {
		specs[i].Weight, specs[i].Tier = 10, 1
	}
	specs = append(specs, Spec{Addr: addr(0), Weight: 99})
	p.Update(specs)
	m = p.Members()
	if len(m) != 5 {
		t.Fatalf("got %d members, want 5: of one address the first counts", len(m))
	}
	for i, u := range before {
		if m[i].Upstream != u || m[i].Weight != 10 || m[i].Tier != 1 {
			t.Errorf("member %d: got %+v, want the same upstream with the new weight and tier", i, m[i])
		}
	}
	if m[0].Breaker() != Open || m[1].Latency() == 0 || m[2].Operator() != Drain || m[3].InFlight() != 1 {
		t.Error("an upstream that stayed lost its state")
	}
	if got := m[4].Health(); got != Checking {
		t.Errorf("new upstream: got %v, want checking", got)
	}
	lease.Release()
	if m[3].InFlight() != 0 || p.InFlight() != 0 {
		t.Errorf("in flight: got %d and %d, want 0", m[3].InFlight(), p.InFlight())
	}
	p.Update(nil)
}

// TestUpdateClosesLinks: a link is closed once, after the last lease has ended.
func TestUpdateClosesLinks(t *testing.T) {
	t.Parallel()
	links := map[string]*closer{}
	p := newTestPool(t, Options{Open: func(s Spec) io.Closer {
		links[s.Addr] = &closer{}
		return links[s.Addr]
	}}, specsOf(3)...)
	busy := p.Members()[2] // the pool may forget it, the request does not
	lease, second := acquire(t, &busy, 1), acquire(t, &busy, 1)
	p.Update(specsOf(1))
	check := func(when string, want ...int) {
		t.Helper()
		for i, n := range want {
			if got := links[addr(i)].closed; got != n {
				t.Errorf("%s: link %d closed %d times, want %d", when, i, got, n)
			}
		}
	}
	check("removed", 0, 1, 0)
	if !busy.Removed() {
		t.Error("Removed: got false, want true")
	}
	if _, ok := busy.TryAcquire(); ok {
		t.Error("TryAcquire on a removed upstream: got true")
	}
	lease.Release()
	check("one of two leases ended", 0, 1, 0)
	second.Report(Success, time.Millisecond)
	second.Release()
	check("last lease ended", 0, 1, 1)
	if _, ok := busy.TryAcquire(); ok {
		t.Error("TryAcquire on a closed upstream: got true")
	}
	check("tried again", 0, 1, 1)
}

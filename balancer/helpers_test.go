package balancer

import (
	"fmt"
	"io"
	"testing"
)

// newTestPool returns a pool of the given members.
func newTestPool(tb testing.TB, o Options, specs ...Spec) *Pool {
	tb.Helper()
	p, err := NewPool(o)
	if err != nil {
		tb.Fatal(err)
	}
	p.Update(specs)
	return p
}

// specsOf returns n upstreams of weight 1.
func specsOf(n int) []Spec {
	specs := make([]Spec, n)
	for i := range specs {
		specs[i] = Spec{Addr: addr(i)}
	}
	return specs
}

// weighted returns one upstream for each weight.
func weighted(weights ...int) []Spec {
	specs := specsOf(len(weights))
	for i, w := range weights {
		specs[i].Weight = w
	}
	return specs
}

func addr(i int) string { return fmt.Sprintf("10.0.%d.%d:80", i/256, i%256) }

// acquire takes n places on m, which are never given back.
func acquire(tb testing.TB, m *Member, n int) (last Lease) {
	tb.Helper()
	for range n {
		l, ok := m.TryAcquire()
		if !ok {
			tb.Fatalf("TryAcquire on %s: got false", m.Addr())
		}
		last = l
	}
	return last
}

// attempt sends one request with outcome o.
func attempt(tb testing.TB, m *Member, o Outcome) {
	tb.Helper()
	l := acquire(tb, m, 1)
	l.Report(o, 1)
	l.Release()
}

// counts picks n times and returns how often each address came.
func counts(p *Pool, n int, c Choice) map[string]int {
	got := map[string]int{}
	for range n {
		if m := p.Pick(&c); m != nil {
			got[m.Addr()]++
		}
	}
	return got
}

// closer counts how often it was closed.
type closer struct{ closed int }

func (c *closer) Close() error { c.closed++; return nil }

var _ io.Closer = (*closer)(nil)

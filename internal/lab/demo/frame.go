package demo

import (
	"time"

	"github.com/goodgate/goodgate/balancer"
)

// frame is the content of the view at one moment.
type frame struct {
	addr    string
	rate    int
	elapsed time.Duration
	step    *Step // nil between faults
	rows    []row
	waiting int      // requests waiting for an upstream
	past    []second // latest last
	total   Summary
}

// row is one backend in a frame.
type row struct {
	name, addr string
	fault      Fault
	verdict    string
	count      upstreamCount
}

// last returns the most recent complete second.
func (f *frame) last() second {
	if len(f.past) == 0 {
		return second{}
	}
	return f.past[len(f.past)-1]
}

func (d *demo) frame() frame {
	elapsed := time.Since(d.start)
	f := frame{
		addr:    d.gate.addr,
		rate:    d.opts.Rate,
		elapsed: elapsed,
		step:    stepAt(d.opts.Script, elapsed),
		waiting: d.gate.pool.Waiting(),
		past:    d.stats.seconds(),
		total:   d.summary(),
	}
	counts := d.stats.perUpstream()
	verdicts := map[string]string{}
	for _, m := range d.gate.pool.Members() {
		verdicts[m.Addr()] = verdictOf(m.Upstream)
	}
	for _, b := range d.backends {
		fault, _ := b.app.state()
		f.rows = append(f.rows, row{b.name, b.addr, fault, verdicts[b.addr], counts[b.addr]})
	}
	return f
}

// verdictOf describes the balancer's state of an upstream.
func verdictOf(u *balancer.Upstream) string {
	switch u.Health() {
	case balancer.Checking:
		return "checking"
	case balancer.Down:
		if u.Trusted() {
			return "used, checks fail"
		}
		return "down"
	case balancer.Draining:
		return "draining"
	}
	switch u.Breaker() {
	case balancer.Open:
		return "breaker open"
	case balancer.HalfOpen:
		return "breaker half-open"
	}
	return "up"
}

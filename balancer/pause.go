package balancer

import "time"

// Pause makes the requests of a pool wait, by the operator's order. The upstreams
// finish what they have, and health checks go on.
type Pause struct {
	Until time.Time     // it ends by itself; zero = it lasts until [Pool.Resume]
	Max   time.Duration // longest wait of a request
	WaitLimits
}

// standby are the requests that wait for the end of a pause.
type standby struct {
	waitlist
	end *time.Timer // nil without a pause that ends by itself; protected by the pool's mu
}

// Pause begins a pause, or gives the present one other terms. Those of a request that
// waits already stay.
//
// A request must look at [Pool.Paused] again once it has its lease: then no request
// reaches an upstream after the first moment of a pause at which [Pool.InFlight] is 0.
func (p *Pool) Pause(o Pause) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.standby.end != nil {
		p.standby.end.Stop()
		p.standby.end = nil
	}
	p.pause.Store(&o)
	if !o.Until.IsZero() {
		p.standby.end = time.AfterFunc(time.Until(o.Until), func() { p.endPause(&o) })
	}
}

// Resume ends a pause. Those that waited go on in a growing stream, which grows only
// as fast as the upstreams finish them.
func (p *Pool) Resume() { p.endPause(p.pause.Load()) }

func (p *Pool) endPause(o *Pause) {
	if o == nil || !p.pause.CompareAndSwap(o, nil) {
		return
	}
	others := p.InFlight() // long ones, such as tunnels
	p.standby.mu.Lock()
	p.standby.busy = func() int { return p.InFlight() - others }
	p.standby.mu.Unlock()
	p.standby.wakeAll()
}

// Paused returns the pause under which the pool is, nil when it is under none.
func (p *Pool) Paused() *Pause { return p.pause.Load() }

// Standby joins the queue of requests that wait for the end of a pause, as [Pool.Wait]
// does for those that wait for an upstream. Look at [Pool.Paused] after joining and
// after every signal.
func (p *Pool) Standby(body int64, o *Pause) (*Waiter, error) {
	return p.standby.join("pause", body, o.WaitLimits)
}

// OnStandby returns the number of requests that wait for the end of a pause, or for
// their turn after it.
func (p *Pool) OnStandby() int { return int(p.standby.n.Load()) }

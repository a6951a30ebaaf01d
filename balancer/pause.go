package balancer

import "time"

// Pause holds the requests of a pool because an operator asked for it. Upstreams finish
// requests in flight, and health checks continue.
type Pause struct {
	Until time.Time     // end of the pause; zero = it lasts until [Pool.Resume]
	Max   time.Duration // longest wait of a request
	WaitLimits
}

// standby is the queue of requests that wait for the end of a pause.
type standby struct {
	waitlist
	end *time.Timer // nil without a pause that has an end; protected by the pool's mu
}

// Pause starts a pause, or replaces the terms of the current one. Requests that already
// wait keep the earlier terms.
//
// A request must check [Pool.Paused] again once it has its lease. If all requests do so,
// no request reaches an upstream from the moment when [Pool.InFlight] is 0 until the
// pause ends.
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

// Resume ends a pause. At first only a few of the waiting requests continue. More follow
// as the upstreams finish requests.
func (p *Pool) Resume() { p.endPause(p.pause.Load()) }

func (p *Pool) endPause(o *Pause) {
	if o == nil || !p.pause.CompareAndSwap(o, nil) {
		return
	}
	others := p.InFlight() // long ones, for example tunnels
	p.standby.mu.Lock()
	p.standby.busy = func() int { return p.InFlight() - others }
	p.standby.mu.Unlock()
	p.standby.wakeAll()
}

// Paused returns the current pause, nil without one.
func (p *Pool) Paused() *Pause { return p.pause.Load() }

// Standby joins the queue of requests that wait for the end of a pause. It works like
// [Pool.Wait]. Check [Pool.Paused] after joining and after every signal.
func (p *Pool) Standby(body int64, o *Pause) (*Waiter, error) {
	return p.standby.join("pause", body, o.WaitLimits)
}

// OnStandby returns the number of requests that wait for the end of a pause, or for their
// turn after it.
func (p *Pool) OnStandby() int { return int(p.standby.n.Load()) }

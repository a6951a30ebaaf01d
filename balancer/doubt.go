package balancer

import "time"

// Doubt handles a report that another process has met a failure at an upstream. The
// checker probes the upstream at once. It stays available but is on trial: until it has
// answered a request or passed its probes, it gets only requests that another upstream
// could take over. Doubt ignores an upstream that is not available or not in the pool.
func (p *Pool) Doubt(addr string) {
	members := p.Members()
	for i := range members {
		if u := members[i].Upstream; u.Addr() == addr && u.Available() {
			u.probeMu.Lock()
			u.trial.doubt(time.Now())
			u.probeMu.Unlock()
			u.nudge()
		}
	}
}

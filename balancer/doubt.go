package balancer

import "time"

// Doubt tells that somebody else who sends requests to an upstream has met a failure
// there. It is probed at once, and is on trial until it has proved itself: only requests
// that could be sent to another go there meanwhile. It stays available. An upstream that
// is not in the pool, or that is not available, is left alone.
func (p *Pool) Doubt(addr string) {
	members := p.Members()
	for i := range members {
		if u := members[i].Upstream; u.Addr() == addr && u.Available() {
			u.trial.begin(time.Now())
			u.nudge()
		}
	}
}

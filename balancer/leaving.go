package balancer

import "time"

// askAgain is the shortest time between two probes that signs of leaving ask for. A
// client that triggers such signs in every answer causes no more probes.
const askAgain = time.Second

// leaving is a sign in an answer that its upstream is about to end. One client's request
// may cause the answer alone: a page closed for maintenance answers with the same 503 as
// a server that shuts down. So a sign only asks for a probe. The probe decides, because
// no client can cause its result.
type leaving struct {
	until time.Time // end of the sign; zero = no sign waits for a probe
	asked time.Time // time of the last request for a probe
}

// SaysLeaving handles an answer in which the upstream asks the pool to send it no
// requests for d. SaysLeaving asks for a probe at once. The probe confirms the answer if
// it gets a wrong response, a refused connection, or the answer that the upstream drains.
// Then the upstream rests for the remainder of d or until a probe passes. Its breaker
// resets, because failures after that answer are not faults. If the probe passes, the
// upstream does not rest. A silent probe decides nothing, because a client can cause it
// by keeping the server busy. Without a checker nothing can confirm the answer, and
// SaysLeaving does nothing.
func (u *Upstream) SaysLeaving(d time.Duration) {
	if d <= 0 || !u.pool.checked() {
		return
	}
	now := time.Now()
	u.probeMu.Lock()
	u.leaving.until = now.Add(d)
	ask := now.Sub(u.leaving.asked) >= askAgain
	if ask {
		u.leaving.asked = now
	}
	u.probeMu.Unlock()
	if ask {
		u.nudge()
	}
}

// probed takes the result of a probe, and returns the time for which the upstream should
// rest. probeMu must be held.
func (l *leaving) probed(p Probe, now time.Time) (left time.Duration) {
	if p == Silent {
		return 0
	}
	if p != Passed {
		left = max(l.until.Sub(now), 0)
	}
	l.until = time.Time{}
	return left
}

// confirmed starts the rest after a probe has confirmed a sign.
func (u *Upstream) confirmed(left time.Duration) {
	if left > 0 && u.Rest(left) {
		u.restsTillPass.Store(true)
		u.breaker.anew()
	}
}

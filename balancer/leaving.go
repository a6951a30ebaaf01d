package balancer

import "time"

// askAgain is the least time between two probes that signs of leaving ask for. A
// client that makes an application give them all the time costs it no more.
const askAgain = time.Second

// leaving is a sign in an answer that its upstream is about to end. One client's
// request may have caused the answer: a page that is closed for maintenance is
// answered with the same 503 as one that comes from a server on its way out. So a
// sign is worth a question, and a probe answers it, which no client can cause.
type leaving struct {
	until time.Time // the sign holds so long; zero = none that waits for a probe
	asked time.Time // when a probe was asked for last
}

// SaysLeaving notes that an answer says that the upstream wants no requests for d,
// and asks for a probe at once. If that one agrees, by a wrong answer, a refused
// connection or the word that it drains, the upstream rests for the rest of d or
// until a probe passes, and its breaker begins anew: what has failed since the sign
// is no fault. A probe that passes ends the matter. One without an answer leaves it
// open, since a client can keep a server busy. Without probes nothing can agree.
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

// probed takes a probe's result, and returns for how long the upstream is to rest.
// Called with probeMu held.
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

// confirmed makes the upstream rest after a probe has agreed with a sign.
func (u *Upstream) confirmed(left time.Duration) {
	if left > 0 && u.Rest(left) {
		u.restsTillPass.Store(true)
		u.breaker.anew()
	}
}

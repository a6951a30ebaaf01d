package balancer

import "time"

// HeardSince reports whether the upstream has answered since t: live traffic, or a
// probe whose result was observed. It is safe for concurrent use.
func (u *Upstream) HeardSince(t time.Time) bool {
	return u.evidence.heard.Load() >= t.UnixNano()
}

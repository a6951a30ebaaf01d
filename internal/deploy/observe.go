package deploy

import (
	"hash/maphash"
	"net/netip"
	"time"

	"github.com/goodgate/goodgate/proxy"
	"github.com/goodgate/goodgate/reason"
)

// Failure is a request that the new version has failed, for finding the cause.
type Failure struct {
	ID     string  `json:"id"` // for goodgate why
	Method string  `json:"method"`
	Path   string  `json:"path"`
	Status int     `json:"status,omitempty"` // status from the new version; 0 = no answer
	Reason string  `json:"reason,omitempty"`
	TookMS float64 `json:"ms"`
	Client int     `json:"client"` // status that the client got
}

// maxFailures bounds the kept failures of a deploy.
const maxFailures = 5

// Observe is an observer of a proxy: it passes the request to the deploy of its pool.
func (e *Engine) Observe(r *proxy.Record) {
	active := e.active.Load()
	if active == nil {
		return
	}
	if d := (*active)[r.Pool]; d != nil {
		d.observe(r, time.Now())
	}
}

// observe adds a request to the judge's samples.
func (d *deploy) observe(r *proxy.Record, now time.Time) {
	a := first(r)
	if a == nil || r.Faults != 0 { // injected faults must not end a deploy
		return
	}
	s, counts := sampleOf(r, a)
	if !counts {
		return
	}
	bound := d.host.KeepsClients()
	d.mu.Lock()
	defer d.mu.Unlock()
	if bound && d.clients.again(r.Client, now) {
		return
	}
	fresh, known := d.sides[a.Upstream]
	if !known {
		return
	}
	s.New = fresh
	d.judge.add(s, now)
	if !fresh || !s.Failed {
		return
	}
	d.wake() // before the next tick a hundred requests may fail
	if r.Status >= 500 || r.Escaped() {
		d.seen++
	}
	if len(d.failures) < maxFailures {
		f := Failure{ID: r.ID, Method: r.Method, Path: r.Path, Status: a.Status, TookMS: milliseconds(a.Took), Client: r.Status}
		if a.Reason != reason.None && a.Status == 0 {
			f.Reason = a.Reason.String()
		}
		d.failures = append(d.failures, f)
	}
}

// crowdOf is the number of distinguishable clients, and once the time after a client's
// request in which another one does not count. Two clients with the same place count as
// one.
const (
	crowdOf = 4096
	once    = 10 * time.Second
)

// clients remembers recent clients. With sticky sessions, one client that repeats the
// same bad request would otherwise be much evidence.
type clients struct {
	seen [crowdOf]int64
	seed maphash.Seed
}

// again reports whether a client's request came too soon after another one to count.
func (c *clients) again(client netip.Addr, now time.Time) bool {
	if c.seed == (maphash.Seed{}) {
		c.seed = maphash.MakeSeed()
	}
	last := &c.seen[maphash.Comparable(c.seed, client)%crowdOf]
	if now.UnixNano()-*last < int64(once) {
		return true
	}
	*last = now.UnixNano()
	return false
}

// first returns a request's first attempt, whose upstream chance has chosen; nil if there
// is none.
func first(r *proxy.Record) *proxy.Attempt {
	var best *proxy.Attempt
	for i := range r.Attempts {
		a := &r.Attempts[i]
		if a.Because == "" && a.Pool == "" && (best == nil || a.After < best.After) {
			best = a
		}
	}
	return best
}

// sampleOf returns the sample of an attempt. A request that the client has ended is no
// sample, and neither is a failure of an idle connection that closed at its reuse.
func sampleOf(r *proxy.Record, a *proxy.Attempt) (s Sample, ok bool) {
	s = Sample{Upstream: a.Upstream}
	switch fault := a.Reason.Fault(); {
	case a.Reason == reason.ClosedBeforeResponse && a.Reused && a.Received == 0:
		return s, false
	case fault == reason.FaultUpstream || a.Status >= 500:
		s.Failed = true
		return s, true
	case fault != reason.FaultNone || r.Reason == reason.ClientGone && a.Status == 0:
		return s, false
	}
	s.Refused = a.Status >= 400
	if r.Received == 0 && a.Status != 101 {
		s.Took = a.Took
	}
	return s, true
}

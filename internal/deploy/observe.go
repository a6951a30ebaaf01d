package deploy

import (
	"hash/maphash"
	"net/netip"
	"time"

	"github.com/goodgate/goodgate/proxy"
	"github.com/goodgate/goodgate/reason"
)

// Failure is a request that the new version has failed, for people who look for the cause.
type Failure struct {
	ID     string  `json:"id"` // for goodgate why
	Method string  `json:"method"`
	Path   string  `json:"path"`
	Status int     `json:"status,omitempty"` // of the new version; 0 = there was no answer
	Reason string  `json:"reason,omitempty"`
	TookMS float64 `json:"ms"`
	Client int     `json:"client"` // status that the client got
}

// maxFailures is how many requests a deploy keeps that the new version has failed.
const maxFailures = 5

// Observe is a proxy's observer: the deploy of the request's pool takes what the request
// has shown.
func (e *Engine) Observe(r *proxy.Record) {
	active := e.active.Load()
	if active == nil {
		return
	}
	if d := (*active)[r.Pool]; d != nil {
		d.observe(r, time.Now())
	}
}

// observe adds a request to what the judge knows.
func (d *deploy) observe(r *proxy.Record, now time.Time) {
	a := first(r)
	if a == nil || r.Faults != 0 { // else a test of clients would end a deploy
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
	d.wake() // the next tick may be a hundred failures away
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

// crowdOf is how many clients can be told apart, and once how long a client's next request
// does not count. Two that share a place count as one.
const (
	crowdOf = 4096
	once    = 10 * time.Second
)

// clients remembers who has sent a request lately. Where clients stay with their upstreams,
// one that sends the same bad request again and again would be a lot of evidence.
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

// first returns the attempt that a request began with, to an upstream that was drawn by
// chance; nil without one.
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

// sampleOf returns what an attempt shows of its upstream. What the client has ended shows
// nothing, and neither does an idle connection that was closed as it was used.
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

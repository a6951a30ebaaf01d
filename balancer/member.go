package balancer

import (
	"cmp"
	"net"
	"strings"
)

import "time"

// Spec is what a configuration or a discovery source says about one upstream.
type Spec struct {
	Addr        string // host:port or unix:/path; unique within the pool
	Other       string // the same host and port by an address of the other family; "" = there is none
	Name        string // the host name Addr was found under; empty for an address
	TLS         bool   // reached by TLS
	Weight      int    // share of the load; below 1 counts as 1
	Tier        int    // 0 first; a higher tier is used when the lower ones have too little left
	MaxInFlight int    // requests at once; 0 = no limit
	FleetMax    int    // requests at once of all processes like this one, of which MaxInFlight is a part; 0 = it is no part

	Lifecycle Lifecycle         // what the place where it was found says; the zero value takes requests
	Zone      string            // where it runs; "" = not known
	Metadata  map[string]string // what else is told of it, for people to read; nil = nothing

	// Operator is what the operator says of the upstream when it joins. Afterwards
	// [Upstream.SetOperator] changes it.
	Operator Operator
}

// Authority returns what stands for the upstream in a Host header.
func (s Spec) Authority() string { return authority(s.Addr, s.Name, s.TLS) }

// authority leaves out the port that the scheme implies: servers and certificates know
// a host by its name alone (RFC 9110, section 4.2.3).
func authority(addr, name string, tls bool) string {
	if strings.HasPrefix(addr, "unix:") {
		return cmp.Or(name, "localhost")
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return cmp.Or(name, addr)
	}
	host = cmp.Or(name, host)
	if port == "443" && tls || port == "80" && !tls {
		if strings.Contains(host, ":") {
			return "[" + host + "]"
		}
		return host
	}
	return net.JoinHostPort(host, port)
}

// Member is an upstream's place in a pool: the live state and, beside it, what
// is configured. It is immutable.
type Member struct {
	*Upstream
	Weight      int
	Tier        int
	MaxInFlight int
	details     *details // nil = nothing is told
}

// full reports whether the member has reached its limit of requests at once.
func (m *Member) full() bool { return m.beyond(m.inFlight.Load() + 1) }

// beyond reports whether n requests in flight, the last of which does not wait for its
// answer yet, are more than the member may have.
func (m *Member) beyond(n int64) bool {
	if fixed := int64(m.MaxInFlight); fixed > 0 && n > fixed {
		return true
	}
	found := m.adaptive.limit()
	if found > 0 && m.pool.FreesAtHeader() {
		n = m.occupied() + 1
	}
	return found > 0 && n > found
}

// limit returns how many requests the member may have at once; 0 = no limit.
func (m *Member) limit() int64 {
	n, found := int64(m.MaxInFlight), m.adaptive.limit()
	if found > 0 && (n == 0 || found < n) {
		return found
	}
	return n
}

// load is the number of requests in flight for each unit of weight.
func (m *Member) load() float64 {
	return float64(m.inFlight.Load()) / float64(m.Weight)
}

// TryAcquire takes a place on the upstream for one attempt. It returns false
// when the place has gone since Pick: then pick again.
func (m *Member) TryAcquire() (Lease, bool) {
	n := m.inFlight.Add(1)
	m.pool.inFlight.Add(1)
	if m.removed.Load() || m.beyond(n) {
		m.leave()
		return Lease{}, false
	}
	pass, ok := m.breaker.admit()
	if !ok {
		m.leave()
		return Lease{}, false
	}
	m.waiting.begin()
	return Lease{upstream: m.Upstream, pass: pass}, true
}

// leave gives back what TryAcquire took.
func (u *Upstream) leave() {
	u.pool.inFlight.Add(-1)
	if u.inFlight.Add(-1) == 0 && u.removed.Load() {
		u.close()
	}
	u.pool.waiters.wakeOne()
}

// Outcome is what an attempt says about its upstream.
type Outcome uint8

const (
	Ignored     Outcome = iota // says nothing about the upstream: the client left, or an idle connection was found closed
	Success                    // the upstream answered
	Failure                    // the upstream answered, but with a failure that is its own fault
	Unreachable                // the upstream did not answer: no connection, a broken one, or silence
)

// Lease is the right to have one request in flight on an upstream. It belongs
// to one goroutine. The zero value is a lease already released.
type Lease struct {
	upstream *Upstream
	pass     uint64 // the breaker's
	reported bool
	sending  bool
	outcome  Outcome // the last reported
	began    int64   // Unix nanoseconds, set by the first report
}

// Report tells the upstream's breaker and latency how the attempt went; rtt is
// the time to the response header or to the failure. It is called once at the
// response header, so that a long stream does not keep the breaker waiting,
// and a second time if the body then breaks.
func (l *Lease) Report(o Outcome, rtt time.Duration) {
	u := l.upstream
	if u == nil {
		return
	}
	if !l.reported || o == Failure || o == Unreachable {
		u.breaker.report(l.pass, o)
	}
	now := time.Now()
	if !l.reported {
		sent := !l.sending
		l.endWaiting(now.UnixNano())
		l.began = now.UnixNano() - int64(rtt)
		if sent {
			u.pool.headed(u, o, rtt, now.UnixNano())
		}
	}
	l.reported, l.outcome = true, o
	u.latency.record(o, rtt, now.UnixNano())
	if o == Success && u.breaker.current() == Closed {
		u.trial.answered(now.UnixNano() - int64(rtt))
	}
	u.pool.watch()
	if o == Success || o == Failure {
		u.pulse.answered(now.UnixNano())
	}
	if u.evidence.record(o, now) {
		u.pool.verdictChanged(u)
	}
	if o == Unreachable {
		u.nudge()
	}
}

// Sending says that the request sends its body meanwhile, or a stream: how long it
// waits for its answer tells nothing of the upstream. It is called before Report.
func (l *Lease) Sending() {
	if u := l.upstream; u != nil && !l.sending && !l.reported {
		l.sending = true
		u.sending.Add(1)
	}
}

// endWaiting is called when the request has its answer, or gets none.
func (l *Lease) endWaiting(now int64) {
	if l.sending {
		l.sending = false
		l.upstream.sending.Add(-1)
	}
	l.upstream.waiting.end(now)
}

// Release ends the lease. A lease that ends without a report counts as
// [Ignored], so that no result is ever missing. Further calls do nothing.
func (l *Lease) Release() {
	u := l.upstream
	if u == nil {
		return
	}
	if !l.reported {
		u.breaker.report(l.pass, Ignored)
		l.endWaiting(time.Now().UnixNano())
	}
	if !u.pool.FreesAtHeader() && u.adaptive.record(l.outcome, l.began, u.InFlight()) {
		u.pool.placesChanged()
	}
	*l = Lease{}
	u.leave()
}

package balancer

import (
	"cmp"
	"net"
	"strings"
)

import "time"

// Spec is the configuration of one upstream, from the configuration file or from
// discovery.
type Spec struct {
	Addr        string // host:port or unix:/path; unique within the pool
	Other       string // address of the other family (IPv6 beside IPv4) of the same host, with the port; "" = none
	Name        string // host name that resolved to Addr; empty if an address was configured
	TLS         bool   // connect with TLS
	Weight      int    // share of the load; below 1 counts as 1
	Tier        int    // 0 is first; a higher tier gets requests when the lower ones have too few available members
	MaxInFlight int    // largest number of requests in flight; 0 = no limit
	FleetMax    int    // largest number of requests in flight from all processes of the fleet; MaxInFlight is this process's part; 0 = no limit

	Lifecycle Lifecycle         // state that the source of upstreams reports; the zero value takes requests
	Zone      string            // zone of the upstream; "" = unknown
	Metadata  map[string]string // more facts from the source, for people to read; nil = none

	// Operator is the operator's setting when the upstream joins. Later,
	// [Upstream.SetOperator] changes it.
	Operator Operator
}

// Authority returns the value of the Host header for the upstream.
func (s Spec) Authority() string { return authority(s.Addr, s.Name, s.TLS) }

// authority leaves out the default port of the scheme: servers and certificates know a
// host by its name alone (RFC 9110, section 4.2.3).
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

// Member is an upstream's place in a pool: a pointer to the live state, and the
// configuration. It is immutable.
type Member struct {
	*Upstream
	Weight      int
	Tier        int
	MaxInFlight int
	details     *details // nil = the source reports none
}

// full reports whether the member has reached its limit of requests in flight.
func (m *Member) full() bool { return m.beyond(m.inFlight.Load() + 1) }

// beyond reports whether n requests in flight exceed the member's limits. n includes a
// request that is about to start, and that does not count as waiting yet.
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

// limit returns how many requests the member may have in flight; 0 = no limit.
func (m *Member) limit() int64 {
	n, found := int64(m.MaxInFlight), m.adaptive.limit()
	if found > 0 && (n == 0 || found < n) {
		return found
	}
	return n
}

// load returns the number of requests in flight per unit of weight.
func (m *Member) load() float64 {
	return float64(m.inFlight.Load()) / float64(m.Weight)
}

// TryAcquire takes a place on the upstream for one attempt. It returns false if the
// member has reached a limit, or has left the pool, since Pick. Then pick again.
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

// leave gives back the place that TryAcquire took.
func (u *Upstream) leave() {
	u.pool.inFlight.Add(-1)
	if u.inFlight.Add(-1) == 0 && u.removed.Load() {
		u.close()
	}
	u.pool.waiters.wakeOne()
}

// Outcome is the result of an attempt, as evidence about its upstream.
type Outcome uint8

const (
	Ignored     Outcome = iota // no evidence about the upstream: the client left, or the idle connection was already closed
	Success                    // the upstream answered
	Failure                    // the upstream answered with a failure that is its own fault
	Unreachable                // the upstream did not answer: no connection, a broken connection, or a timeout
)

// Lease is the right to have one request in flight on an upstream. It belongs to one
// goroutine. The zero value is a released lease.
type Lease struct {
	upstream *Upstream
	pass     uint64 // the breaker's
	reported bool
	sending  bool
	outcome  Outcome // the last one reported
	began    int64   // Unix nanoseconds, set by the first report
}

// Report passes the outcome of the attempt to the upstream's circuit breaker and to its
// latency average. rtt is the time to the response header or to the failure. Call it once
// at the response header, so that the breaker learns the outcome before a long stream
// ends. Call it again if the body then breaks.
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
	if o == Success {
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

// Sending marks the request as a stream, or as one whose body is still being sent. Then a
// missing answer is no evidence against the upstream. Call it before Report.
func (l *Lease) Sending() {
	if u := l.upstream; u != nil && !l.sending && !l.reported {
		l.sending = true
		u.sending.Add(1)
	}
}

// endWaiting ends the wait for an answer: it has come, or none will.
func (l *Lease) endWaiting(now int64) {
	if l.sending {
		l.sending = false
		l.upstream.sending.Add(-1)
	}
	l.upstream.waiting.end(now)
}

// Release ends the lease. If nothing was reported, it reports [Ignored], so that the
// breaker gets a result for every request. Further calls do nothing.
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

// Package balancer decides which upstream gets the next request.
//
// An [Upstream] is the live state of one application server: its requests in
// flight, its latency, and the three verdicts about it (probes, circuit
// breaker, operator), which [Upstream.Available] alone combines. A [Member]
// is what the configuration says about an upstream in its pool: immutable,
// beside the state, not in it. A [Pool] is a set of members under one
// [Policy]; its set is replaced as a whole, while the upstreams that stay keep
// their state.
//
// The way of one attempt:
//
//	m := pool.Pick(&choice)       // a hint: nil when nothing is available and untried
//	lease, ok := m.TryAcquire()   // decides: a limit may have been reached since Pick
//	...                           // the exchange with the upstream
//	lease.Report(Success, rtt)    // at the response header, or when it failed
//	lease.Release()               // when the response body has ended
//
// Everything is safe for concurrent use unless it says otherwise. Callbacks
// run without a lock held.
package balancer

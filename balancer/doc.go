// Package balancer decides which upstream gets the next request, and knows nothing of
// HTTP: whatever is sent to several servers can be balanced with it.
//
// Make a [Pool] with [DefaultOptions], give it members with [Pool.Update], and take a lease
// for each attempt:
//
//	pool, err := balancer.NewPool(balancer.DefaultOptions("app"))
//	pool.Update([]balancer.Spec{{Addr: "10.0.0.1:80"}, {Addr: "10.0.0.2:80"}})
//
//	m := pool.Pick(&choice)       // a hint: nil when nothing is available and untried
//	lease, ok := m.TryAcquire()   // decides: a limit may have been reached since Pick
//	...                           // the exchange with the upstream
//	lease.Report(Success, rtt)    // at the response header, or when it failed
//	lease.Release()               // when the response body has ended
//
// Common tasks:
//
//   - wait for an upstream when none is available: [Pool.Wait]
//   - health checks: a checker of package health follows the pool; one of your own is told
//     of the upstreams by [Pool.Follow], and gives verdicts by [Upstream.ObserveProbe]
//   - other options while the pool is in use: [Pool.Configure]
//   - take an upstream out by hand: [Upstream.SetOperator]
//   - let requests wait while something is done to the upstreams: [Pool.Pause]
//   - know when upstreams come and go: [Options.Notify]
//
// An [Upstream] is the live state of one server: its requests in flight, its latency, and
// the three verdicts about it (probes, circuit breaker, operator), which
// [Upstream.Available] alone combines. A [Member] is what was said about an upstream in its
// pool: immutable, beside the state, not in it. A Pool is a set of members under one
// [Policy]; its set is replaced as a whole, while the upstreams that stay keep their state.
//
// Everything is safe for concurrent use unless it says otherwise. Callbacks run without a
// lock held.
package balancer

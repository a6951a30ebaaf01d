// Package balancer chooses the upstream for each request. It knows nothing of HTTP: it
// balances anything that a client sends to one of several servers.
//
// Make a [Pool] with [DefaultOptions], set its members with [Pool.Update], and take a
// [Lease] for each attempt:
//
//	pool, err := balancer.NewPool(balancer.DefaultOptions("app"))
//	pool.Update([]balancer.Spec{{Addr: "10.0.0.1:80"}, {Addr: "10.0.0.2:80"}})
//
//	m := pool.Pick(&choice)             // a hint: nil when no untried member is available
//	lease, ok := m.TryAcquire()         // decides: the member may have reached a limit since Pick
//	...                                 // send the request to m.Addr()
//	lease.Report(balancer.Success, rtt) // at the response header, or at the failure
//	lease.Release()                     // at the end of the response body
//
// Common tasks:
//
//   - Wait for an upstream when none is available: [Pool.Wait].
//   - Check health: a checker of package health follows the pool. Your own checker gets
//     the upstreams from [Pool.Follow], and reports each probe with
//     [Upstream.ObserveProbe].
//   - Change the options of a pool in use: [Pool.Configure].
//   - Drain an upstream, or switch it off, by hand: [Upstream.SetOperator].
//   - Hold all requests during maintenance: [Pool.Pause].
//   - Send new upstreams a share of the requests (canary): [Pool.Introduce].
//   - Learn when upstreams become available or unavailable: [Options.Notify].
//   - Write your own policy: [Options.NewPolicy].
//
// An [Upstream] is the live state of one server: its requests in flight, its latency, and
// the verdicts of its probes, its circuit breaker and the operator. Only
// [Upstream.Available] combines these verdicts. A [Member] is an upstream's place in a
// pool, with its configuration, for example its weight; it is immutable. A Pool is a set
// of members under one [Policy]. Update replaces the whole set; upstreams that stay keep
// their state.
//
// Everything is safe for concurrent use unless its documentation says otherwise. A pick
// takes no lock, and costs about the same for ten members as for ten thousand. The pool
// calls back without a lock held, with two exceptions: [Options.Open] and
// [Options.NewPolicy] run with its lock held and must not call the pool.
//
// The files:
//
//	pool.go, configure.go, member.go, upstream.go    the pool, its options, members and upstreams
//	policy.go, custom.go                             the interface of policies; policies of users
//	round_robin.go, random.go, least_conn.go         one policy each
//	p2c.go, peak_ewma.go, hash.go                    one policy each
//	sticky.go, first.go                              one policy each
//	alias.go, smooth.go                              weighted random draws; smooth weighted round robin
//	latency.go, history.go, spectrum.go, waiting.go  measure upstreams
//	health.go, pulse.go                              the verdict of probes; whether a process runs
//	leaving.go, rest.go                              upstreams that announce their shutdown
//	breaker.go, breakerstate.go                      the circuit breaker
//	outlier.go, alike.go                             compare the members of a pool
//	verdict.go, droughttrial.go                      count available members; early trials if none is left
//	trial.go, ramp.go, warm.go, doubt.go             upstreams that join or return
//	introduce.go                                     canaries
//	tiers.go, zones.go                               failover tiers; zone-aware routing
//	adaptive.go, curve.go, places.go                 the concurrency limit of an upstream
//	overload.go, growth.go                           limits during an overload
//	wait.go, pause.go                                queues of requests
//	notices.go, follow.go, lifecycle.go, moments.go  events, followers, states and their times
//	defaults.go, names.go                            the default options; the words of the states
package balancer

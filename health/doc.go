// Package health finds out whether upstreams answer.
//
// A [Checker] probes the upstreams of a pool for as long as it runs:
//
//	checker := health.NewChecker(health.DefaultOptions())
//	checker.Follow(pool) // also the upstreams that it will have
//	checker.Run(ctx)
//
// What a probe asks is up to the [Prober] in its options: [NewAlive] takes any sign of life,
// [NewHTTP] asks for a path, [NewGRPC] speaks the gRPC health protocol, [TCP] only connects.
// A prober of your own is one method. To ask once, without a checker, call Probe.
//
// Probes have connections of their own, never one of the traffic's, and as a rule each a
// new one, so that accepting connections is tested too. Only the probes of more than a
// hundred upstreams may share connections ([Kept]). The results are fed to
// [github.com/goodgate/goodgate/balancer.Upstream.ObserveProbe], which turns them into a verdict.
//
// What a probe found is one of [github.com/goodgate/goodgate/balancer.Passed], [github.com/goodgate/goodgate/balancer.Wrong],
// [github.com/goodgate/goodgate/balancer.Silent], [github.com/goodgate/goodgate/balancer.Refused] and [github.com/goodgate/goodgate/balancer.Drains], decided where the
// bytes are:
//
//   - no connection: Refused (nothing listens there, no route, no such name)
//   - the connection or the TLS handshake breaks or takes too long: Silent
//   - the answer does not come, breaks off or takes too long: Silent
//   - an answer came and is not the expected one: Wrong
//   - an answer came that says that the upstream ends: Drains. That is no
//     failure; it takes the upstream out at once, and one pass brings it back
//
// To [NewAlive] every answer is the expected one, and so is the end of the
// connection. Silence is a failure only for an upstream that has answered it before.
//
// A TLS failure is Silent and not Refused because it may be the probe's own
// settings that are wrong: Refused would override the evidence of live traffic
// that the upstream works, Silent leaves it as it is.
//
// Probers and the Checker are safe for concurrent use.
package health

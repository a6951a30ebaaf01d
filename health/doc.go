// Package health probes upstreams: is this one answering.
//
// A [Prober] makes one probe; there is one kind a file: [NewAlive], [NewHTTP],
// [TCP] and [NewGRPC]. Probes have connections of their own, never one of the
// traffic's, and as a rule each a new one, so that accepting connections is
// tested too; see line.go for when not. A [Checker] decides when to probe which
// upstream, keeps them in a queue by the time when they are due, and feeds the
// results to
// [balancer.Upstream.ObserveProbe], which turns them into a verdict.
//
// What a probe found is one of [balancer.Passed], [balancer.Wrong],
// [balancer.Silent], [balancer.Refused] and [balancer.Drains], decided where the
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

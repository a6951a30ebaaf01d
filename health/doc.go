// Package health probes upstreams and reports whether they answer (active health checks).
//
// A [Checker] probes the upstreams of a pool while it runs:
//
//	checker := health.NewChecker(health.DefaultOptions())
//	checker.Follow(pool) // its upstreams now and after each update
//	checker.Run(ctx)
//
// The [Prober] in its options makes the probes: [NewAlive] accepts any sign of life,
// [NewHTTP] requests a path, [NewGRPC] speaks the gRPC health protocol, [TCP] connects and
// can exchange text. Your own prober has one method. To probe once, without a checker,
// call a prober's Probe method. An [Agent] asks a program beside an upstream how much load
// it can take.
//
// Probes never use a connection of the traffic. Normally each probe opens a new
// connection, so that it also checks whether the upstream accepts connections. With very
// many upstreams, probes may share connections ([Kept]). The checker passes each result to
// [balancer.Upstream.ObserveProbe], which derives the verdict.
//
// The result of a probe is one of [balancer.Passed], [balancer.Wrong], [balancer.Silent],
// [balancer.Refused] and [balancer.Drains]:
//
//   - There is no connection: Refused (nothing listens, no route, or no such name).
//   - The connection attempt or the TLS handshake breaks or takes too long: Silent.
//   - The answer does not come, breaks off or takes too long: Silent.
//   - The answer is not the expected one: Wrong.
//   - The answer says that the upstream shuts down: Drains. This is no failure. It takes
//     the upstream out at once, and one passed probe brings it back.
//
// NewAlive expects any answer, or the end of the connection. It counts silence as a
// failure only if the upstream has answered its question before.
//
// A TLS failure is Silent, not Refused, because the probe's own settings may be wrong.
// Refused would override the evidence of live traffic that the upstream works; Silent
// does not.
//
// Probers and the Checker are safe for concurrent use.
//
// The files:
//
//	checker.go, dispatch.go, queue.go  the checker: its upstreams, its workers, its queue
//	schedule.go, shared.go             when to probe; fewer probes when other processes probe too
//	error.go, cause.go                 the result of a probe; the reason of a failure
//	dial.go, line.go                   connections; connections that probes share
//	target.go                          probes to another port
//	alive.go, alivehttp2.go, known.go  NewAlive
//	http.go, expect.go                 NewHTTP: its requests; the expected answers
//	oneshot.go, http2.go               one request over HTTP/1.1; over HTTP/2
//	grpc.go, grpcmessage.go            NewGRPC
//	tcp.go                             TCP
//	agent.go                           agents beside upstreams
//	defaults.go                        the default options
package health

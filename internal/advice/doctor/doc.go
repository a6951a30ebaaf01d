// Package doctor looks at upstreams and at this machine the way an operator
// would who asks where bad gateways come from.
//
// [Examine] goes step by step, for each [Target]: the name, the route, the
// connection, TLS, a request, the health endpoint, the idle connection.
// [Local] looks at the limits of this machine, [Listeners] at who has the
// addresses. What is found is a [finding.Report].
//
// It only reads and sends GET and HEAD requests (or the configured health check):
// it changes nothing. Targets are examined side by side, each on one goroutine;
// all have ended when Examine returns.
package doctor

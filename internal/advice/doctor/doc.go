// Package doctor examines upstreams and this machine for the causes of bad gateways, in
// the order in which an experienced operator would.
//
// [Examine] checks each [Target] step by step: the name, the route, the connection,
// TLS, a request, the health endpoint, the idle connection. [Local] checks the limits
// of this machine. [Listeners] checks who uses the proxy's addresses. The result is a
// [finding.Report].
//
// The doctor changes nothing. It reads, and sends GET and HEAD requests or the
// configured health check. Each target has its own goroutine, and all of them have
// ended when Examine returns.
package doctor

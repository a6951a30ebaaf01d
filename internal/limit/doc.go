// Package limit decides which requests and connections are admitted. [Rates] limits the
// rate of requests of each client or key. [Queue] limits concurrent requests, with a
// short, fair queue. [Connections], [Count] and [Room] limit connections, of a listener
// and of several together. [Memory] refuses work near GOMEMLIMIT. The package knows
// nothing of HTTP. All of its types are safe for concurrent use, except plain options.
package limit

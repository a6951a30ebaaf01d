// Package discovery finds the addresses of upstreams.
//
// A [Source] delivers a set of [Target] to a [Sink] each time the set changes: fixed
// targets ([NewStatic]), the addresses of a host name ([NewDNS]), a DNS service
// ([NewSRV]), a watched file ([NewFile]). [Merge] joins several sources. A source that
// fails keeps its last good set: it reports the error and tries again.
//
// Run is called once for each source, and returns after all its goroutines have ended.
// Sinks are called from one goroutine at a time and never under a lock. Refresh is safe
// for concurrent use.
package discovery

// Package bench sends load to a server and measures what comes back. The load
// is open-loop: each request has a moment at which it is due, whether or not
// earlier ones have been answered, and its latency counts from that moment, so
// that a server which stalls cannot slow down the measurement of its stall
// (coordinated omission: G. Tene, "How NOT to Measure Latency", 2013). No
// request is ever sent twice.
package bench

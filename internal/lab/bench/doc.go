// Package bench sends load to a server and measures the answers. The load is open-loop:
// each request is due at a fixed time, whether or not earlier ones have been answered.
// Its latency counts from that time, so a stall of the server cannot slow down its own
// measurement (coordinated omission: G. Tene, "How NOT to Measure Latency", 2013). No
// request is ever sent twice.
package bench

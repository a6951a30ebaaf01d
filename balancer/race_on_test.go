//go:build race

package balancer

// The race detector is on: simulations on one goroutine, which it makes ten times
// slower and finds nothing in, are cut short.
const raceEnabled = true

//go:build race

package balancer

// The race detector makes simulations on one goroutine ten times slower, and finds
// nothing in them. So they are cut short.
const raceEnabled = true

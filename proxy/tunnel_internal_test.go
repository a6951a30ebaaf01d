package proxy

import (
	"net"
	"testing"
	"time"
)

// TestTunnelThatEndsAtOnce: a tunnel whose limits end it at once does not stay in the set
// of open ones.
func TestTunnelThatEndsAtOnce(t *testing.T) {
	t.Parallel()
	var ts tunnels
	var count tunnelCount
	const n = 2000
	for range n {
		here, there := net.Pipe()
		defer there.Close()
		ts.add(&tunnel{ReadWriteCloser: here, all: &ts, bounds: Tunnel{Idle: 1, Lifetime: time.Microsecond}, count: &count})
	}
	<-ts.empty()
	if got := count.opened.Load(); got != n {
		t.Errorf("%d were opened, want %d", got, n)
	}
}

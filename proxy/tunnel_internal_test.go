package proxy

import (
	"net"
	"sync"
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

// TestCountedBeforeEmpty: when the set is empty, every tunnel has been counted.
func TestCountedBeforeEmpty(t *testing.T) {
	t.Parallel()
	var ts tunnels
	var count tunnelCount
	here, there := net.Pipe()
	defer there.Close()
	open := ts.add(&tunnel{ReadWriteCloser: here, all: &ts, count: &count})
	ts.mu.Lock() // so that the tunnel cannot leave the set
	var closed sync.WaitGroup
	closed.Go(func() { open.Close() })
	for end := time.Now().Add(5 * time.Second); count.ended[TunnelClosed].Load() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Error("the tunnel is not counted while it is in the set")
			break
		}
	}
	ts.mu.Unlock()
	closed.Wait()
	<-ts.empty()
}

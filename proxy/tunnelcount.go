package proxy

import (
	"sync/atomic"

	"github.com/goodgate/goodgate/balancer"
)

// TunnelEnd is the cause of the end of an upgraded connection.
type TunnelEnd uint8

// The causes.
const (
	TunnelClosed   TunnelEnd = iota // by the client, the upstream or the network
	TunnelIdle                      // no byte for Tunnel.Idle
	TunnelLifetime                  // open for Tunnel.Lifetime
	TunnelDrained                   // goodgate shut down, or the upstream was drained
	tunnelEnds
)

var tunnelEndNames = [...]string{TunnelClosed: "closed", TunnelIdle: "idle", TunnelLifetime: "lifetime", TunnelDrained: "drain"}

func (e TunnelEnd) String() string { return tunnelEndNames[e] }

// TunnelEnds returns all values of TunnelEnd.
func TunnelEnds() []TunnelEnd {
	return []TunnelEnd{TunnelClosed, TunnelIdle, TunnelLifetime, TunnelDrained}
}

// Tunnels counts an upstream's upgraded connections, for example WebSockets.
type Tunnels struct {
	Open       int
	Opened     int64
	Ended      [tunnelEnds]int64 // indexed by TunnelEnd
	ToUpstream int64             // bytes, including those of open connections
	ToClient   int64             // bytes, including those of open connections
}

// TunnelsOf returns the counts of an upstream of a [Pool], since it joined the pool.
func TunnelsOf(u *balancer.Upstream) Tunnels {
	c := &u.Link().(*endpointRef).tunnels
	t := Tunnels{Opened: c.opened.Load(), ToUpstream: c.toUpstream.Load(), ToClient: c.toClient.Load()}
	t.Open = int(t.Opened)
	for i := range t.Ended {
		t.Ended[i] = c.ended[i].Load()
		t.Open -= int(t.Ended[i])
	}
	return t
}

// tunnelCount holds the counts. It is safe for concurrent use.
type tunnelCount struct {
	opened, toUpstream, toClient atomic.Int64
	ended                        [tunnelEnds]atomic.Int64
}

package proxy

import (
	"sync/atomic"

	"github.com/goodgate/goodgate/balancer"
)

// TunnelEnd is what ended an upgraded connection.
type TunnelEnd uint8

// The ends.
const (
	TunnelClosed   TunnelEnd = iota // the client, the upstream, or the network
	TunnelIdle                      // nothing came for as long as Tunnel.Idle
	TunnelLifetime                  // it was as old as Tunnel.Lifetime
	TunnelDrained                   // goodgate went away, or the upstream was drained
	tunnelEnds
)

var tunnelEndNames = [...]string{TunnelClosed: "closed", TunnelIdle: "idle", TunnelLifetime: "lifetime", TunnelDrained: "drain"}

func (e TunnelEnd) String() string { return tunnelEndNames[e] }

// TunnelEnds returns all there are.
func TunnelEnds() []TunnelEnd {
	return []TunnelEnd{TunnelClosed, TunnelIdle, TunnelLifetime, TunnelDrained}
}

// Tunnels is the account of an upstream's upgraded connections, such as those of
// WebSocket.
type Tunnels struct {
	Open       int
	Opened     int64
	Ended      [tunnelEnds]int64 // by TunnelEnd
	ToUpstream int64             // bytes, those of the open ones too
	ToClient   int64             // and so
}

// TunnelsOf returns the account of an upstream of a [Pool]. It begins with the
// upstream's time in the pool.
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

// tunnelCount keeps the account.
type tunnelCount struct {
	opened, toUpstream, toClient atomic.Int64
	ended                        [tunnelEnds]atomic.Int64
}

package limit

import (
	"net"
	"net/netip"
	"sync"
)

// Count applies the same limits where there is no [net.Listener]. Connections never wait:
// one too many is refused.
type Count struct {
	opts    Connections
	mu      sync.Mutex // protects the fields below
	open    int
	clients map[netip.Addr]int
}

// Count returns an empty count of connections.
func (c Connections) Count() *Count {
	return &Count{opts: c, clients: map[netip.Addr]int{}}
}

// Enter counts a connection until the caller calls leave, once. It returns false at the
// limit.
func (n *Count) Enter(from net.Addr) (leave func(), ok bool) {
	client := clientOf(from)
	perClient := n.opts.PerClient > 0 && client.IsValid()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.opts.Max > 0 && n.open >= n.opts.Max || perClient && n.clients[client] >= n.opts.PerClient {
		return nil, false
	}
	n.open++
	if perClient {
		n.clients[client]++
	}
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.open--
		if !perClient {
			return
		}
		if n.clients[client]--; n.clients[client] == 0 {
			delete(n.clients, client)
		}
	}, true
}

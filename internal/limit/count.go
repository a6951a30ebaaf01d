package limit

import (
	"net"
	"net/netip"
	"sync"
)

// Count holds connections to the same bounds where there is no [net.Listener].
// Nobody waits: one too many is refused.
type Count struct {
	opts    Connections
	mu      sync.Mutex // protects the fields below
	open    int
	clients map[netip.Addr]int
}

// Count returns a count of connections that none is in yet.
func (c Connections) Count() *Count {
	return &Count{opts: c, clients: map[netip.Addr]int{}}
}

// Enter counts a connection until leave is called, once. It reports false when
// there are as many as may be.
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

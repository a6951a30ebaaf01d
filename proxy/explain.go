package proxy

import "net/netip"

// Matches reports whether m matches a request from a client to a listener. It is for
// tools that explain a configuration: observers get the request as the routes saw it, in
// [Record.Request].
func (m *Match) Matches(r *Request, l Listener, client netip.Addr) bool {
	x := &exchange{request: r, listener: l}
	x.record.Client = client
	ready := *m // a route's is prepared, others are not
	ready.prepare()
	return ready.matches(x, r.URL.Path)
}

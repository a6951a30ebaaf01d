package proxy

import (
	"net/http"
	"net/netip"

	"github.com/goodgate/goodgate/internal/wire/message"
)

// Matches reports whether m matches a request from a client to a listener. It is for
// tools that explain a configuration. It does not apply the steps before routing, for
// example the removal of headers that the client may not set.
func (m *Match) Matches(r *http.Request, l Listener, client netip.Addr) bool {
	x := &exchange{request: message.FromHTTP(r), listener: l}
	fillPath(x.request)
	x.record.Client = client
	ready := *m // a route's is prepared, others are not
	ready.prepare()
	return ready.matches(x, x.request.URL.Path)
}

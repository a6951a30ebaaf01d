package proxy

import (
	"io"
	"sync"
	"sync/atomic"

	"github.com/goodgate/goodgate/balancer"
)

// endpointRef points to an upstream's endpoint, which a change of the pool's options
// may replace, and keeps the counts that outlive it.
type endpointRef struct {
	atomic.Pointer[endpoint]
	tunnels  tunnelCount
	lateness lateness

	mu     sync.Mutex // held while the endpoint is replaced
	closed bool       // the upstream has left its pool
}

func newEndpointRef(s balancer.Spec, o *PoolOptions) io.Closer {
	ref := new(endpointRef)
	ref.Store(newEndpoint(s, o))
	return ref
}

// Close ends the connections, those in use with the requests on them.
func (ref *endpointRef) Close() error {
	ref.mu.Lock()
	defer ref.mu.Unlock()
	ref.closed = true
	ref.Load().transport.Retire()
	return nil
}

// adopt makes new connections go by o. Those that are there are kept while
// what they were made by is the same; else each ends with the requests on it.
// Attempts that were made for the earlier endpoint are still sent by that.
func (ref *endpointRef) adopt(o *PoolOptions) {
	ref.mu.Lock()
	defer ref.mu.Unlock()
	old := ref.Load()
	if ref.closed || old.opts == o || old.opts.connectsAs(o) {
		return
	}
	ref.Store(newEndpoint(old.spec, o))
	old.transport.Retire()
}

// connectsAs reports whether connections made by o do for other.
func (o *PoolOptions) connectsAs(other *PoolOptions) bool {
	a, b := o.Timeouts, other.Timeouts
	a.Request, b.Request = 0, 0
	return a == b && o.Protocol == other.Protocol && o.ProxyProtocol == other.ProxyProtocol && o.TLS == other.TLS &&
		o.MaxIdleConns == other.MaxIdleConns && o.MaxResponseHeader == other.MaxResponseHeader
}

// endpointOf returns how an upstream of a [Pool] is reached at this moment.
func endpointOf(u *balancer.Upstream) *endpoint { return u.Link().(*endpointRef).Load() }

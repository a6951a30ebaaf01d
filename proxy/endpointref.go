package proxy

import (
	"io"
	"sync"
	"sync/atomic"

	"github.com/goodgate/goodgate/balancer"
)

// endpointRef points to an upstream's endpoint, which a change of the pool's options may
// replace. It keeps the counts that outlive an endpoint.
type endpointRef struct {
	atomic.Pointer[endpoint]
	tunnels  tunnelCount
	lateness lateness

	mu     sync.Mutex // held while the endpoint is being replaced
	closed bool       // the upstream has left its pool
}

func newEndpointRef(s balancer.Spec, o *PoolOptions) io.Closer {
	ref := new(endpointRef)
	ref.Store(newEndpoint(s, o))
	return ref
}

// Close closes the connections. Each one in use closes with its last request.
func (ref *endpointRef) Close() error {
	ref.mu.Lock()
	defer ref.mu.Unlock()
	ref.closed = true
	ref.Load().transport.Retire()
	return nil
}

// adopt applies o to new connections. Existing ones stay if the options that made them
// are the same. Otherwise each closes with its last request. Attempts made for the
// earlier endpoint still use it.
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

// connectsAs reports whether connections made with o are also right for other.
func (o *PoolOptions) connectsAs(other *PoolOptions) bool {
	a, b := o.Timeouts, other.Timeouts
	a.Request, b.Request = 0, 0
	return a == b && o.Protocol == other.Protocol && o.ProxyProtocol == other.ProxyProtocol && o.TLS == other.TLS &&
		o.MaxIdleConns == other.MaxIdleConns && o.ConnRequests == other.ConnRequests && o.MaxResponseHeader == other.MaxResponseHeader
}

// endpointOf returns the current endpoint of an upstream of a [Pool].
func endpointOf(u *balancer.Upstream) *endpoint { return u.Link().(*endpointRef).Load() }

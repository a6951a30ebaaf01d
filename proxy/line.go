package proxy

import (
	"io"
	"sync/atomic"

	"github.com/goodgate/goodgate/balancer"
)

// line is an upstream's link, which a change of the pool's options may replace,
// and what is counted of all of them.
type line struct {
	atomic.Pointer[link]
	tunnels tunnelCount
}

func newLine(s balancer.Spec, o *PoolOptions) io.Closer {
	l := new(line)
	l.Store(newLink(s, o))
	return l
}

// Close ends the unused connections.
func (l *line) Close() error { return l.Load().Close() }

// adopt makes new connections go by o. Those that are there are kept while
// what they were made by is the same; else each ends with the requests on it.
func (l *line) adopt(o *PoolOptions) {
	old := l.Load()
	if old.opts == o || old.opts.connectsAs(o) {
		return
	}
	l.Store(newLink(old.spec, o))
	old.Close()
}

// connectsAs reports whether connections made by o do for other.
func (o *PoolOptions) connectsAs(other *PoolOptions) bool {
	a, b := o.Timeouts, other.Timeouts
	a.Request, b.Request = 0, 0
	return a == b && o.Protocol == other.Protocol && o.ProxyProtocol == other.ProxyProtocol && o.TLS == other.TLS &&
		o.MaxIdleConns == other.MaxIdleConns && o.MaxResponseHeader == other.MaxResponseHeader
}

// linkOf returns how an upstream of a [Pool] is reached at this moment.
func linkOf(u *balancer.Upstream) *link { return u.Link().(*line).Load() }

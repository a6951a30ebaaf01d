package gate

import (
	"errors"
	"maps"
	"net"
	"sync"
	"sync/atomic"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/assemble"
	"github.com/goodgate/goodgate/internal/discovery"
)

// members is a pool's set of upstreams: what was found last, and the weights
// that the operator has set since. The operator's word goes with the
// configuration that it was given under.
type members struct {
	mu      sync.Mutex // held while the pool takes a set, so that the latest is the last
	targets []discovery.Target
	weights map[string]int // by address
}

// take takes what a source has found.
func (p *pool) take(targets []discovery.Target) {
	p.members.mu.Lock()
	defer p.members.mu.Unlock()
	p.members.targets = targets
	p.live().Update(p.members.specs())
}

// setWeight changes the weight of an upstream.
func (p *pool) setWeight(addr string, weight int) error {
	p.members.mu.Lock()
	defer p.members.mu.Unlock()
	if p.members.targets == nil {
		return errNothingFound
	}
	weights := maps.Clone(p.members.weights)
	if weights == nil {
		weights = map[string]int{}
	}
	weights[addr] = weight
	p.members.weights = weights
	p.live().Update(p.members.specs())
	p.log.Info("weight set by the operator", "upstream", addr, "weight", weight)
	return nil
}

// forget drops the operator's weights.
func (p *pool) forget() {
	p.members.mu.Lock()
	defer p.members.mu.Unlock()
	if len(p.members.weights) > 0 {
		p.members.weights = nil
		p.live().Update(p.members.specs())
	}
}

func (m *members) specs() []balancer.Spec {
	list := assemble.Specs(m.targets)
	for i := range list {
		if w := m.weights[list[i].Addr]; w > 0 {
			list[i].Weight = w
		}
	}
	return list
}

// lost is the last failure to look a pool's upstreams up; nil = there is none.
type lost struct{ err atomic.Pointer[error] }

func (l *lost) set(err error) {
	if err == nil {
		l.err.Store(nil)
		return
	}
	l.err.Store(&err)
}

func (l *lost) get() (text string, why reason.Reason) {
	err := l.err.Load()
	if err == nil {
		return "", reason.None
	}
	return (*err).Error(), missing(*err)
}

// missing is the reason for a pool's having no upstreams, None when the cause is
// not a name.
func missing(err error) reason.Reason {
	dns, ok := errors.AsType[*net.DNSError](err)
	switch {
	case !ok:
		return reason.None
	case dns.IsTimeout:
		return reason.DNSTimeout
	}
	return reason.DNSError
}

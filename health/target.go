package health

import (
	"context"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/goodgate/goodgate/balancer"
)

// Target says where probes go, if not to the address of the traffic. The zero value is that address.
type Target struct {
	Port int   // of the upstream's host; 0 = the traffic's. A Unix socket has no port and is probed itself
	TLS  *bool // whether probes use TLS; nil = as the traffic does
}

// apart reports whether probes go to another port. What answers there may be another
// process, so that it proves nothing about the traffic's.
func (t Target) apart() bool { return t.Port != 0 }

// answered notes that an upstream has answered a probe.
func (t Target) answered(u *balancer.Upstream) {
	if !t.apart() {
		u.Answered(time.Now())
	}
}

// tls reports whether probes of an upstream use TLS.
func (t Target) tls(u *balancer.Upstream) bool {
	if t.TLS != nil {
		return *t.TLS
	}
	return u.TLS()
}

// of returns an address of an upstream with the port of probes.
func (t Target) of(addr string) string {
	if t.Port == 0 || addr == "" || strings.HasPrefix(addr, "unix:") {
		return addr
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return net.JoinHostPort(host, strconv.Itoa(t.Port))
}

// apart is a [Prober] for another port than the traffic's.
type apart struct {
	Prober
	own TCP // connects to the traffic's port
}

// newApart returns p, with what its results lack if they are about another port.
func newApart(t Target, p Prober, own TCP) Prober {
	if !t.apart() {
		return p
	}
	return &apart{p, own}
}

// goesElsewhere reports whether probes go to another port.
func goesElsewhere(p Prober) bool {
	if t, ok := p.(TCP); ok {
		return t.Target.apart()
	}
	_, ok := p.(*apart)
	return ok
}

// Probe implements [Prober]. An upstream that is not up needs an open port for its traffic
// too. A refused connection to the other port only fails the probe: it does not prove that
// the application has gone.
func (p *apart) Probe(ctx context.Context, u *balancer.Upstream) error {
	return p.complete(ctx, u, p.Prober.Probe(ctx, u))
}

// probeBy implements [liner].
func (p *apart) probeBy(ctx context.Context, u *balancer.Upstream, l *line) error {
	inner, ok := p.Prober.(liner)
	if !ok {
		return p.Probe(ctx, u)
	}
	return p.complete(ctx, u, inner.probeBy(ctx, u, l))
}

func (p *apart) complete(ctx context.Context, u *balancer.Upstream, err error) error {
	switch {
	case err == nil && u.Health() != balancer.Up:
		return p.own.Probe(ctx, u)
	case err != nil && Result(err) == balancer.Refused:
		return &Error{Result: balancer.Wrong, Err: err}
	}
	return err
}

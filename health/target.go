package health

import (
	"context"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/goodgate/goodgate/balancer"
)

// Target is the destination of probes. The zero value is the address of the traffic.
type Target struct {
	Port int   // port on the upstream's host; 0 = the traffic's. It does not apply to a Unix socket
	TLS  *bool // whether probes use TLS; nil = like the traffic
}

// apart reports whether probes go to another port. Another process may answer there. So
// an answer proves nothing about the process that serves the traffic.
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

// of returns an upstream's address with the port of the probes.
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

// apart is a [Prober] for a port other than the traffic's.
type apart struct {
	Prober
	own TCP // probes the traffic's port
}

// newApart returns p. If t has another port, it wraps p with the checks that the other
// port needs.
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

// Probe implements [Prober]. While an upstream is not up, its traffic's port must accept
// a connection too. A refused connection to the other port is only a failed probe
// (Wrong): it does not prove that the application has gone.
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

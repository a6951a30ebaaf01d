package demo

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/health"
	"github.com/goodgate/goodgate/proxy"
)

// gate is goodgate in this process: a listener, a proxy, a pool and its health checks,
// with times short enough to show everything in a minute.
type gate struct {
	pool    *proxy.Pool
	checker *health.Checker
	server  *http.Server
	addr    string // address of the listener; loopback if it listens on all addresses
	serves  sync.WaitGroup
	stop    context.CancelFunc
}

// openGate listens on the address in o, and starts to check and serve.
func openGate(o Options, backends []*backend, st *stats) (*gate, error) {
	g := &gate{}
	var err error
	if g.pool, err = newPool(o); err != nil {
		return nil, err
	}
	prober, err := health.NewHTTP(health.HTTPOptions{Path: healthPath})
	if err != nil {
		return nil, err
	}
	g.checker = health.NewChecker(health.Options{
		Prober:       prober,
		Interval:     500 * time.Millisecond,
		FastInterval: 100 * time.Millisecond,
		Timeout:      500 * time.Millisecond,
		Thresholds:   balancer.Thresholds{Rise: 2, Fall: 3},
		Report: func(e health.Event) {
			if e.Err != nil {
				st.probeFailed()
			}
		},
	})
	handler, err := proxy.New(proxy.Options{
		Routes:  []proxy.Route{{Name: "demo", Pool: g.pool}},
		Via:     "goodgate",
		Details: true, // errors may show details of example upstreams
		Observe: []func(*proxy.Record){st.observe},
	})
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return nil, fmt.Errorf("listening on %q (--listen): %w", o.Listen, err)
	}
	g.addr = reachable(ln.Addr())
	g.server = &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       time.Minute,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	g.watch(backends)
	ctx, stop := context.WithCancel(context.Background())
	g.stop = stop
	g.serves.Go(func() { g.checker.Run(ctx) })
	g.serves.Go(func() { g.server.Serve(ln) })
	return g, nil
}

func newPool(o Options) (*proxy.Pool, error) {
	return proxy.NewPool(balancer.Options{
		Name:       "demo",
		Policy:     "peak_ewma",
		Checked:    true,
		MaxEjected: 0.5,
		Breaker: balancer.BreakerOptions{
			Enabled:      true,
			Consecutive:  5,
			FailureRatio: 0.5,
			MinRequests:  20,
			Window:       10 * time.Second,
			OpenFor:      time.Second,
			MaxOpenFor:   2 * time.Second,
		},
	}, proxy.PoolOptions{
		Timeouts: proxy.Timeouts{ResponseHeader: o.Timeout, Idle: 5 * time.Second, Request: 20 * time.Second},
		Retry: proxy.Retry{
			Attempts:   5,
			Statuses:   []int{http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout},
			Budget:     0.2,
			BudgetMin:  10,
			MaxBody:    64 << 10,
			Backoff:    25 * time.Millisecond,
			MaxBackoff: 250 * time.Millisecond,
		},
		Hold: proxy.Hold{For: 10 * time.Second, MaxRequests: max(1000, 5*o.Rate)},
	})
}

// watch makes the backends members of the pool.
func (g *gate) watch(backends []*backend) {
	specs := make([]balancer.Spec, len(backends))
	for i, b := range backends {
		specs[i].Addr = b.addr
	}
	g.pool.Update(specs)
	members := g.pool.Members()
	watched := make([]*balancer.Upstream, len(members))
	for i := range members {
		watched[i] = members[i].Upstream
	}
	g.checker.Watch(watched)
}

// close stops the listener and the checks, and closes all connections.
func (g *gate) close() {
	g.server.Close()
	g.stop()
	g.serves.Wait()
	g.pool.Update(nil)
}

// reachable returns an address for connections to a listener.
func reachable(a net.Addr) string {
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return a.String()
	}
	switch ip := ap.Addr().Unmap(); {
	case ip.IsUnspecified():
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), ap.Port()).String()
	default:
		return netip.AddrPortFrom(ip, ap.Port()).String()
	}
}

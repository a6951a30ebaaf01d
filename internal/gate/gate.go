package gate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/metrics"
	"github.com/goodgate/goodgate/internal/tracing"
	"github.com/goodgate/goodgate/proxy"
)

// Options are what a gate gets from the program around it.
type Options struct {
	Logger  *slog.Logger
	Version string                // of the program, for traces; empty = not told
	Metrics *metrics.Metrics      // nil = nothing is counted
	Observe []func(*proxy.Record) // beside the log and the metrics
}

// Gate is a whole goodgate in one value: several can run in one process.
type Gate struct {
	config *config.Config
	log    *slog.Logger
	counts *metrics.Metrics // nil = off
	traces *tracing.Tracer  // nil = off
	pools  map[string]*pool
	live   atomic.Pointer[proxy.Proxy]
}

// New builds everything a configuration asks for, and opens nothing yet.
func New(c *config.Config, o Options) (*Gate, error) {
	g := &Gate{config: c, log: o.Logger, counts: o.Metrics, pools: map[string]*pool{}}
	if g.log == nil {
		g.log = slog.New(slog.DiscardHandler)
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(c.Pools)) {
		p, err := newPool(name, c.Pools[name], g)
		if err != nil {
			errs = append(errs, fmt.Errorf("pools.%s: %w", name, err))
			continue
		}
		g.pools[name] = p
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	g.traces = newTracer(c.Tracing, o, g.log)
	p, err := newProxy(c, g.pools, g.observers(o))
	if err != nil {
		return nil, err
	}
	g.live.Store(p)
	if g.counts != nil {
		g.counts.SetPools(g.proxyPools)
		g.counts.ConfigLoaded("", time.Now())
	}
	return g, nil
}

// proxyPools returns the pools of this moment.
func (g *Gate) proxyPools() []*proxy.Pool {
	var pools []*proxy.Pool
	for _, p := range g.pools {
		pools = append(pools, p.Pool)
	}
	return pools
}

// ServeHTTP serves a request by the configuration of this moment.
func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.live.Load().ServeHTTP(w, r)
}

// Run listens, calls ready with the addresses, and serves until ctx ends. Then
// it drains, which closing now cuts short, and returns when everything it
// started has ended.
func (g *Gate) Run(ctx context.Context, now <-chan struct{}, ready func(addrs []string)) error {
	servers, err := g.listen()
	if err != nil {
		return err
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	for _, p := range g.pools {
		wg.Go(func() { p.run(background) })
	}
	failed := make(chan error, len(servers)+1)
	if g.traces != nil {
		wg.Go(func() {
			if err := g.traces.Run(background); err != nil {
				failed <- err
			}
		})
	}
	for _, s := range servers {
		wg.Go(func() { failed <- s.serve() })
	}
	if ready != nil {
		ready(addresses(servers))
	}
	select {
	case <-ctx.Done():
		g.log.Info("shutting down", "cause", context.Cause(ctx).Error(),
			"lame_duck", g.config.Shutdown.LameDuck.String(), "grace", g.config.Shutdown.Grace.String())
		g.drain(servers, now)
		return nil
	case err := <-failed:
		closeAll(servers)
		return err
	}
}

// drain lets clients go in peace: a lame-duck window in which every response
// says Connection: close, then a grace time in which what is in flight may
// end. Go's own Shutdown alone would close idle connections at once, and a
// request that is on its way on one of them would be lost.
func (g *Gate) drain(servers []*server, now <-chan struct{}) {
	p := g.live.Load()
	p.Drain()
	select {
	case <-time.After(g.config.Shutdown.LameDuck):
	case <-now:
	}
	ctx, cancel := context.WithTimeout(context.Background(), g.config.Shutdown.Grace)
	defer cancel()
	stop := cancelOn(now, cancel)
	defer stop()
	var wg sync.WaitGroup
	for _, s := range servers {
		wg.Go(func() {
			if s.http.Shutdown(ctx) != nil {
				s.http.Close()
			}
		})
	}
	wg.Go(func() { p.ShutdownTunnels(ctx) })
	wg.Wait()
}

// cancelOn cancels when now is closed; the returned function ends the watch.
func cancelOn(now <-chan struct{}, cancel context.CancelFunc) (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case <-now:
			cancel()
		case <-done:
		}
	})
	return func() {
		close(done)
		wg.Wait()
	}
}

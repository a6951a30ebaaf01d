package gate

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/proxy"
)

// lastWords is the time that aborted requests get to send an error response.
const lastWords = time.Second

// drain ends the service without losing requests. During the lame-duck window every
// response says Connection: close. Then requests in flight get the grace time to end.
// Go's Shutdown alone would close idle connections at once, and lose a request that is on
// its way on one of them.
func (g *Gate) drain(cause error, hurry <-chan struct{}) {
	g.halt()
	g.draining.Store(true)
	g.fleet.leave()
	present := g.current.Load()
	c := present.config.Shutdown
	g.log.Info("shutting down", "cause", cause.Error(), "lame_duck", c.LameDuck.String(), "grace", c.Grace.String())
	if g.replaced.Load() {
		g.yield(present)
	}
	for _, s := range present.servers {
		s.leaving.Store(true)
		s.http3.leave()
	}
	wait(c.LameDuck, hurry)
	var wg sync.WaitGroup
	streams, tunnels := g.live.Load().EndStreams, make(chan struct{})
	for _, s := range present.servers {
		wg.Go(func() { s.end(c, hurry, streams, tunnels) })
	}
	wg.Go(func() {
		defer close(tunnels)
		ctx, cancel := bounded(tunnelTime(c), hurry)
		defer cancel()
		g.live.Load().ShutdownTunnels(ctx)
	})
	wg.Wait()
}

// sweepEvery is the interval between searches for connections of drained upstreams.
const sweepEvery = time.Second

// sweep ends the upgraded connections and streams of upstreams whose drain has lasted
// long enough, until ctx ends.
func (g *Gate) sweep(ctx context.Context) {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			g.live.Load().Sweep(now, tunnelTime(g.current.Load().config.Shutdown))
		case <-ctx.Done():
			return
		}
	}
}

// tunnelTime returns how long upgraded connections may stay.
func tunnelTime(c config.Shutdown) time.Duration {
	if c.Tunnels == 0 {
		return c.Grace
	}
	return c.Tunnels
}

// end stops accepting, gives requests in flight the grace time, and then ends them. First
// it calls streams, which ends streams in the way of their protocol and returns their
// number. Then it aborts all other requests; those without an answer get an error with
// the reason. Only WebSockets over HTTP/2 and HTTP/3 may stay until tunnels is closed.
func (s *server) end(c config.Shutdown, hurry <-chan struct{}, streams func() int, tunnels <-chan struct{}) {
	s.entry.Close()
	s.serving.stop()
	s.release()
	ctx, cancel := bounded(c.Grace, hurry)
	defer cancel()
	if s.shutdown(ctx) == nil {
		return
	}
	if streams() > 0 && s.endsSoon() {
		return
	}
	s.abort(proxy.ErrShuttingDown)
	ended := s.endsSoon()
	select {
	case <-tunnels:
	default:
		if !ended {
			<-tunnels
			ended = s.endsSoon()
		}
	}
	if !ended {
		s.http.Close()
		s.http3.close()
	}
}

// endsSoon reports whether all requests end within lastWords.
func (s *server) endsSoon() bool {
	ctx, cancel := context.WithTimeout(context.Background(), lastWords)
	defer cancel()
	return s.shutdown(ctx) == nil
}

// shutdown waits until no request is in flight, or until ctx ends.
func (s *server) shutdown(ctx context.Context) error {
	s.http3.leave()
	return errors.Join(s.http.Shutdown(ctx), s.http3.wait(ctx))
}

// retire ends a server that a reload has removed, in the background. Only its clients are
// asked to leave.
func (g *Gate) retire(s *server, c config.Shutdown, stop <-chan struct{}) {
	s.leaving.Store(true)
	none := make(chan struct{})
	close(none)
	g.tasks.Go(func() {
		wait(c.LameDuck, stop)
		s.end(c, stop, func() int { return g.live.Load().EndLeavingTunnels() }, none)
	})
}

// wait waits for d, or until stop closes.
func wait(d time.Duration, stop <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-stop:
	}
}

// bounded returns a context that ends after d, or when stop closes.
func bounded(d time.Duration, stop <-chan struct{}) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case <-stop:
			cancel()
		case <-done:
		}
	})
	return ctx, func() {
		close(done)
		wg.Wait()
		cancel()
	}
}

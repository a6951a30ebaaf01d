package proxy

import (
	"context"
	"errors"
	"net"
	"sync"
)

// ListenAndServe serves clients at a TCP address, host:port, over HTTP/1.1 until ctx
// ends. Then it takes no new connections, and lets requests and upgraded connections that
// are under way end, for up to 30 s. The error is nil when all have. It bounds what
// clients may take, as goodgate itself does; for TLS, HTTP/2 or other bounds use a
// [net/http.Server] of your own, with p as its Handler.
func (p *Proxy) ListenAndServe(ctx context.Context, address string) error {
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return p.serveUntil(ctx, ln)
}

func (p *Proxy) serveUntil(ctx context.Context, ln net.Listener) error {
	s := defaultServer()
	s.Handler = p
	failed := make(chan error, 1)
	go func() { failed <- s.Serve(ln) }()
	select {
	case err := <-failed:
		return errors.Join(err, s.Close())
	case <-ctx.Done():
	}
	p.Drain()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), defaultGrace)
	defer cancel()
	var tunnels sync.WaitGroup
	tunnels.Go(func() { p.ShutdownTunnels(grace) })
	err := s.Shutdown(grace)
	tunnels.Wait()
	<-failed
	if err != nil {
		s.Close()
	}
	return err
}

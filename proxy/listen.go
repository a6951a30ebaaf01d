package proxy

import (
	"context"
	"errors"
	"net"
	"sync"
)

// ListenAndServe serves clients on a TCP address, host:port, over HTTP/1.1 until ctx
// ends. Then it accepts no more connections, and waits up to 30 s for requests and
// upgraded connections in flight. It returns nil when all of them have ended. It applies
// the default limits of goodgate's listeners to clients. For TLS, HTTP/2 or other limits,
// use your own [net/http.Server] with p as its Handler.
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

package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

const (
	// The ports of backends are below those that systems give to outgoing connections
	// (32768 and up). Otherwise an outgoing connection could take a backend's port, or
	// connect to itself, while the backend does not listen.
	portMin, portMax = 20000, 32000
	portTries        = 100

	relistenFor   = time.Second
	relistenPause = 10 * time.Millisecond
)

// backend is an example server whose fault can change while it runs.
type backend struct {
	name string
	addr string
	app  app

	switching sync.Mutex // held while the fault changes; protects the fields below
	server    *http.Server
	listener  net.Listener // nil while nothing listens
	serves    sync.WaitGroup
}

// newBackend starts a backend on its own loopback port.
func newBackend(name string, l *ledger) (*backend, error) {
	b := &backend{name: name}
	b.app.name, b.app.ledger = name, l
	var err error
	for range portTries {
		var ln net.Listener
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(portMin+rand.IntN(portMax-portMin)))
		if ln, err = net.Listen("tcp", addr); err == nil {
			b.addr = addr
			b.start(ln)
			return b, nil
		}
	}
	return nil, fmt.Errorf("finding a port for %s between %d and %d: %w", name, portMin, portMax, err)
}

// set sets fault f. [NoFault] ends the present one.
func (b *backend) set(ctx context.Context, f Fault) error {
	b.switching.Lock()
	defer b.switching.Unlock()
	b.app.set(f)
	switch {
	case f.listens() && b.listener == nil:
		ln, err := relisten(ctx, b.addr)
		if err != nil {
			return fmt.Errorf("%s could not come back: %w", b.name, err)
		}
		b.start(ln)
	case !f.listens() && b.listener != nil:
		b.stop(f == Restart)
	}
	return nil
}

// close ends the backend and all its connections.
func (b *backend) close() {
	b.switching.Lock()
	defer b.switching.Unlock()
	b.app.set(NoFault)
	b.stop(true)
}

// start serves on ln. Connections of an earlier listener stay.
func (b *backend) start(ln net.Listener) {
	if b.server == nil {
		b.server = &http.Server{
			Handler:     &b.app,
			ErrorLog:    log.New(io.Discard, "", 0), // every fault would be logged
			ConnState:   noteIdle,
			ConnContext: withConn,
		}
	}
	b.listener = idleListener{ln}
	server, listener := b.server, b.listener
	b.serves.Go(func() { server.Serve(listener) })
}

// stop closes the listener, and with cut also the connections, in the middle of any
// request.
func (b *backend) stop(cut bool) {
	if b.listener != nil {
		b.listener.Close()
		b.listener = nil
	}
	b.serves.Wait()
	if cut && b.server != nil {
		b.server.Close()
		b.server = nil // a closed server cannot serve again
	}
}

// relisten listens on an address that was closed just before. It waits briefly if the
// address is taken.
func relisten(ctx context.Context, addr string) (net.Listener, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, relistenFor, fmt.Errorf("%s was not free within %v", addr, relistenFor))
	defer cancel()
	for {
		ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
		if err == nil {
			return ln, nil
		}
		select {
		case <-time.After(relistenPause):
		case <-ctx.Done():
			return nil, errors.Join(context.Cause(ctx), err)
		}
	}
}

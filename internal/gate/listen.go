package gate

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goodgate/goodgate/internal/assemble"
	"github.com/goodgate/goodgate/internal/certs"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/wire/inbound"
	_ "github.com/goodgate/goodgate/internal/wire/xconnect" // WebSockets over HTTP/2
	"github.com/goodgate/goodgate/proxy"
)

// server is one listener with everything that serves it.
type server struct {
	config  config.Listener
	door    *door
	entry   net.Listener // the door, with the limits on connections
	http    *inbound.Server
	http3   *http3Server            // nil without HTTP/3
	tls     *tls.Config             // nil without TLS
	secured *assemble.ServerTLS     // the TLS settings at the start; nil without TLS
	clients *clientCA               // nil without client_ca
	certs   *certs.Store            // nil without TLS
	issuer  *issuer                 // nil without acme
	limits  *proxy.Limits           // nil = none
	address string                  // in a form that can be dialled
	abort   context.CancelCauseFunc // ends every request
	leaving atomic.Bool             // responses ask clients to leave
	serving *task
	log     *slog.Logger
	heir    bool // another server owns the socket now
}

// door is a server's listener on a shared socket. Close leaves the socket open for
// another server, with the connections that wait in its queue.
type door struct {
	socket net.Listener
	once   sync.Once
	closed atomic.Bool
	failed func(error) // called with the error of a failed accept; may be nil

	patience time.Duration // with a client that acknowledges nothing; 0 = the kernel's
}

func (d *door) Accept() (net.Conn, error) {
	c, err := d.socket.Accept()
	if err != nil && d.closed.Load() {
		return nil, net.ErrClosed
	}
	if err != nil && d.failed != nil {
		d.failed(err)
	}
	if d.patience > 0 {
		boundSilence(c, d.patience)
	}
	return c, err
}

func (d *door) Addr() net.Addr { return d.socket.Addr() }

// Close makes Accept return.
func (d *door) Close() error {
	d.once.Do(func() {
		d.closed.Store(true)
		setDeadline(d.socket, time.Unix(1, 0))
	})
	return nil
}

func setDeadline(l net.Listener, t time.Time) {
	if d, ok := l.(interface{ SetDeadline(time.Time) error }); ok {
		d.SetDeadline(t)
	}
}

// newServer returns a server for a socket, not yet started.
func (g *Gate) newServer(l config.Listener, socket net.Listener) (*server, error) {
	s := &server{config: l, log: g.log, door: &door{socket: socket}, address: socket.Addr().String()}
	bounds := assemble.Connections(l)
	bounds.Foreign = foreign(l)
	if bounds.Max == 0 {
		bounds.Room = g.clientRoom
	} else {
		bounds.Waits = g.fdShortage.crowds.of(l.Address, bounds.Max)
	}
	s.entry = bounds.Listen(s.door)
	if network, address := l.Network(); network == "unix" {
		s.address = "unix:" + address
	}
	base, abort := context.WithCancelCause(context.Background())
	s.abort = abort
	s.limits = g.listenerLimits(l)
	granted := assemble.Listener(l)
	granted.Limits, granted.Leaving = s.limits, &s.leaving
	serve := func(w http.ResponseWriter, r *proxy.Request) {
		if !g.challenged(w, r) {
			g.live.Load().ServeRequest(w, r, s.http3.withAltSvc(granted))
		}
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { serve(w, proxy.NewRequest(r)) })
	if err := g.secure(s, l); err != nil {
		return s, err
	}
	o := assemble.HTTP1(l)
	o.Base, o.TLS, o.HTTP2, o.Log = base, s.tls, g.newHTTP2(l, handler), g.log
	o.Serve = func(w inbound.ResponseWriter, r *proxy.Request) { serve(w, r) }
	o.Refuse = func(w inbound.ResponseWriter, r *proxy.Request, status int, err error) {
		g.live.Load().Refuse(w, r.HTTP(), granted, status, err)
	}
	s.door.failed = g.fdShortage.note
	s.door.patience = patience(l.Timeouts.WriteIdle)
	if m := g.opts.Metrics; m != nil {
		o.ConnState = m.ConnState(l.Address)
	}
	s.http = inbound.New(o)
	return s, g.offerHTTP3(s, granted, base)
}

// newHTTP2 returns the server of a listener's HTTP/2 connections.
func (g *Gate) newHTTP2(l config.Listener, handler http.Handler) *http.Server {
	s := assemble.HTTP2(l)
	s.Handler, s.ConnContext = handler, g.newResets(l).open
	endConns(s, l.Timeouts.Age, l.ConnRequests)
	s.ErrorLog = slog.NewLogLogger(g.log.Handler(), slog.LevelDebug)
	if m := g.opts.Metrics; m != nil {
		s.HTTP2.CountError = m.HTTP2Failed(l.Address)
	}
	return s
}

// start accepts connections. It calls failed if accepting ends by itself.
func (s *server) start(failed func(error)) {
	setDeadline(s.door.socket, time.Time{})
	s.serving = begin(context.Background(), func(context.Context) {
		err := s.serve()
		if !errors.Is(err, http.ErrServerClosed) && !s.door.closed.Load() {
			failed(err)
		}
	})
}

func (s *server) serve() error {
	if s.certs != nil {
		stop := s.certs.Watch()
		defer stop()
	}
	if s.clients != nil {
		defer s.clients.watch().stop()
	}
	return s.http.Serve(proxied(s.entry, s.config, s.log))
}

// pass stops accepting, and leaves the socket to another server.
func (s *server) pass() {
	s.heir = true
	s.http3.leave()
	s.entry.Close()
	s.serving.stop()
}

// release closes the socket, unless another server owns it.
func (s *server) release() {
	if !s.heir {
		s.door.socket.Close()
	}
}

// discard ends a server that has never started. It leaves the socket open.
func (s *server) discard() {
	s.http3.close()
	if s.http != nil {
		s.http.Close()
	}
}

// close closes all connections at once.
func (s *server) close() {
	s.http3.close()
	s.http.Close()
	s.entry.Close()
	s.serving.stop()
	s.release()
}

func addresses(servers []*server) []string {
	list := make([]string, len(servers))
	for i, s := range servers {
		list[i] = s.address
	}
	return list
}

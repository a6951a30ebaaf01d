package gate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"reflect"
	"runtime/trace"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/assemble"
	"github.com/goodgate/goodgate/internal/config"
)

// adminMode is the mode of the API's socket file: only its owner may use it, since the
// API asks for no token there.
const adminMode = 0o600

// adminServer serves the operator's API on one listener.
type adminServer struct {
	config  config.Admin
	door    *door
	api     *admin.Server
	http    *http.Server
	flight  *trace.FlightRecorder
	serving *task
	heir    bool // another server owns the socket now

	next  atomic.Pointer[admin.Server] // answers requests on the remaining connections; nil = this server does
	conns connections
}

// connections counts the connections of a server.
type connections struct {
	mu   sync.Mutex // protects the fields below
	n    int
	none chan struct{} // closed when no connection is left; nil before gone is called
}

// changed counts a change of state; it is an [http.Server.ConnState].
func (c *connections) changed(_ net.Conn, s http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch s {
	case http.StateNew:
		c.n++
	case http.StateClosed, http.StateHijacked:
		if c.n--; c.n == 0 && c.none != nil {
			close(c.none)
		}
	}
}

// gone returns a channel that closes once no connection is left. Call it once, after the
// server has stopped accepting.
func (c *connections) gone() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.none = make(chan struct{})
	if c.n == 0 {
		close(c.none)
	}
	return c.none
}

// planAdmin decides which server serves the API: the present one, a new one that takes
// over its socket, or a new one with its own socket; nil without an API.
func (g *Gate) planAdmin(next *plan, before *adminServer) error {
	c := next.config.Admin
	switch {
	case c.Address == "":
		return nil
	case before != nil && reflect.DeepEqual(before.config, c):
		next.admin = before
		return nil
	case before != nil && before.config.Address == c.Address:
		next.admin = g.newAdmin(c, before.door.socket)
		return nil
	}
	socket, err := g.bindAdmin(c.Address)
	if err != nil {
		return fmt.Errorf("%s: %w", next.config.KeyName("admin.address"), err)
	}
	if socket == nil {
		return nil
	}
	next.opened = append(next.opened, socket)
	next.admin = g.newAdmin(c, socket)
	return nil
}

// bindAdmin opens the socket of the API at its address, or else at one of the spare
// addresses. It returns nil without an error if there are spare addresses and none is
// free.
func (g *Gate) bindAdmin(address string) (net.Listener, error) {
	socket, err := g.bind(config.Listener{Address: address, Mode: adminMode})
	if err == nil || len(g.opts.AdminSpares) == 0 {
		return socket, err
	}
	for _, spare := range g.opts.AdminSpares {
		if socket, failed := g.bind(config.Listener{Address: spare, Mode: adminMode}); failed == nil {
			g.log.Warn("admin API at a spare address", "address", socket.Addr().String(), "error", err.Error())
			return socket, nil
		}
	}
	g.log.Warn("no admin API: status, top, why, drain and the dashboard do not work", "error", err.Error())
	return nil, nil
}

func (g *Gate) newAdmin(c config.Admin, socket net.Listener) *adminServer {
	s := &adminServer{config: c, door: &door{socket: socket, failed: g.fdShortage.note}}
	if c.Flight > 0 {
		s.flight = trace.NewFlightRecorder(trace.FlightRecorderConfig{MinAge: c.Flight})
	}
	o := assemble.Admin(c)
	o.Version, o.Control, o.Requests, o.Tally, o.Flight = g.opts.Version, control{g}, &g.ring, &g.tally, s.flight
	o.Journal, o.Wiring, o.Splits, o.Mirrors, o.Changes = g.journal, g.wiring, control{g}, g.mirrorReports, g.changes
	o.Faults = control{g}
	if !g.fleet.alone() {
		o.Fleet = func() *admin.Fleet { return g.fleet.told(g.current.Load()) }
	}
	o.Deploy = g.progress
	if g.counts != nil {
		o.More = endpoints(g.counts.Handler().ServeHTTP)
	}
	o.More = append(o.More, g.deploys.Endpoints(admin.AuthorOf)...)
	s.api = admin.New(o)
	s.http = &http.Server{
		Handler:           http.HandlerFunc(s.serve),
		ConnState:         s.conns.changed,
		ConnContext:       withPeer,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(g.log.Handler(), slog.LevelDebug),
	}
	return s
}

// endpoints returns the endpoints of the API that this package implements.
func endpoints(metrics http.HandlerFunc) []admin.Endpoint {
	return []admin.Endpoint{{Pattern: "GET /metrics", Handler: metrics, Does: "Metrics for Prometheus."}}
}

// OpenAPI returns the OpenAPI description of the operator's whole API.
func OpenAPI() []byte {
	return admin.OpenAPI(append(endpoints(nil), deployEndpoints()...))
}

// withPeer records the user at the other end of a Unix socket in the context; it is an
// [http.Server.ConnContext].
func withPeer(ctx context.Context, c net.Conn) context.Context {
	if uid, ok := peerOf(c); ok {
		return admin.WithPeer(ctx, uid)
	}
	return ctx
}

// serve answers a request. On a connection that has outlived a replacement, the next
// server answers, so that a new token takes effect at once.
func (s *adminServer) serve(w http.ResponseWriter, r *http.Request) {
	api := s.api
	if next := s.next.Load(); next != nil {
		w.Header().Set("Connection", "close")
		api = next
	}
	api.ServeHTTP(w, r)
}

// replaceAdmin puts next in the place of old; either may be nil. Clients of old get the
// time that c gives them to leave, but only lastWords once stop closes.
func (g *Gate) replaceAdmin(old, next *adminServer, c config.Shutdown, stop <-chan struct{}) {
	if old == next {
		return
	}
	if old != nil {
		old.heir = next != nil && next.door.socket == old.door.socket
		if next != nil {
			old.next.Store(next.api)
		}
		old.hush()
		// The request that caused this replacement may be served by old, and others may
		// wait for their turn to change something.
		g.tasks.Go(func() { old.end(c, stop) })
	}
	if next != nil {
		g.startAdmin(next)
	}
}

func (g *Gate) startAdmin(s *adminServer) {
	if s.flight != nil {
		if err := s.flight.Start(); err != nil {
			g.log.Warn("the flight recorder is off", "error", err.Error())
		}
	}
	setDeadline(s.door.socket, time.Time{})
	s.serving = begin(context.Background(), func(context.Context) {
		err := s.http.Serve(s.door)
		if !errors.Is(err, http.ErrServerClosed) && !s.door.closed.Load() {
			g.fail(fmt.Errorf("admin listener: %w", err))
		}
	})
	g.log.Info("admin API", "address", s.address())
}

// address returns the address of the listener in a form that can be dialled.
func (s *adminServer) address() string {
	a := s.door.Addr()
	if a.Network() == "unix" {
		return "unix:" + a.String()
	}
	return a.String()
}

// hush stops accepting, and closes idle connections.
func (s *adminServer) hush() {
	s.door.Close()
	s.serving.stop()
	s.api.Close()
	if s.flight != nil {
		s.flight.Stop()
	}
	if !s.heir {
		s.door.socket.Close()
	}
}

// end asks clients to leave during the lame-duck time, and gives requests in flight the
// grace time; lastWords once stop closes. It does not use net/http's Shutdown, which
// drops requests that arrive meanwhile.
func (s *adminServer) end(c config.Shutdown, stop <-chan struct{}) {
	gone := s.conns.gone()
	if s.next.Load() != nil {
		waitFor(gone, c.LameDuck, stop)
	}
	s.http.SetKeepAlivesEnabled(false) // ends idle connections
	waitFor(gone, c.Grace, stop)
	last, cancel := context.WithTimeout(context.Background(), lastWords)
	defer cancel()
	if s.http.Shutdown(last) != nil {
		s.http.Close()
	}
}

// waitFor waits until done closes, for d at most, and no longer once stop closes.
func waitFor(done <-chan struct{}, d time.Duration, stop <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	case <-stop:
	}
}

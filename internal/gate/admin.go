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

// adminMode is of the API's socket file: it asks for no token.
const adminMode = 0o600

// adminServer is the operator's API and its listener.
type adminServer struct {
	config  config.Admin
	door    *door
	api     *admin.Server
	http    *http.Server
	flight  *trace.FlightRecorder
	serving *task
	heir    bool // another has the socket now

	next  atomic.Pointer[admin.Server] // answers in its place on the connections that are left; nil = it does itself
	conns connections
}

// connections counts those of a server.
type connections struct {
	mu   sync.Mutex // protects the fields below
	n    int
	none chan struct{} // closed once there is none, when somebody waits for that; nil before
}

// changed is for [http.Server.ConnState].
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

// gone returns a channel that is closed once there is no connection. It is called
// once, when none can come any more.
func (c *connections) gone() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.none = make(chan struct{})
	if c.n == 0 {
		close(c.none)
	}
	return c.none
}

// planAdmin finds what serves the API: what is there, what takes its socket
// over, or one with a socket of its own; nil when there is to be none.
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
		return fmt.Errorf("admin.address: %w", err)
	}
	if socket == nil {
		return nil
	}
	next.opened = append(next.opened, socket)
	next.admin = g.newAdmin(c, socket)
	return nil
}

// bindAdmin opens the socket of the API at its address, else at one of the spare ones;
// nil without an error when there are spare ones and none can be had.
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

// endpoints are the gate's own of the API.
func endpoints(metrics http.HandlerFunc) []admin.Endpoint {
	return []admin.Endpoint{{Pattern: "GET /metrics", Handler: metrics, Does: "Metrics for Prometheus."}}
}

// OpenAPI describes the whole API of the operator.
func OpenAPI() []byte {
	return admin.OpenAPI(append(endpoints(nil), deployEndpoints()...))
}

// withPeer is for [http.Server.ConnContext].
func withPeer(ctx context.Context, c net.Conn) context.Context {
	if uid, ok := peerOf(c); ok {
		return admin.WithPeer(ctx, uid)
	}
	return ctx
}

// serve answers a request. One that comes by a connection that is left over is the
// next server's: a new token holds at once.
func (s *adminServer) serve(w http.ResponseWriter, r *http.Request) {
	api := s.api
	if next := s.next.Load(); next != nil {
		w.Header().Set("Connection", "close")
		api = next
	}
	api.ServeHTTP(w, r)
}

// replaceAdmin puts next in the place of old; either may be nil. Clients of old
// get the time that c says to leave, or lastWords once stop is closed.
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
		// The request that asked for this may be one of its own, and others may be
		// waiting for their turn to change something.
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

// address returns the listener's, as it can be dialled.
func (s *adminServer) address() string {
	a := s.door.Addr()
	if a.Network() == "unix" {
		return "unix:" + a.String()
	}
	return a.String()
}

// hush stops accepting, and ends what nobody waits for.
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

// end gives clients that have been told to leave the lame-duck time, and what is
// under way the grace time; lastWords once stop is closed. net/http's own Shutdown
// would drop requests that come meanwhile.
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

// waitFor waits until a channel is closed, for d at most, and not once stop is.
func waitFor(done <-chan struct{}, d time.Duration, stop <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	case <-stop:
	}
}

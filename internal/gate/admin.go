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
			g.log.Warn("the admin API is at another address", "address", socket.Addr().String(), "error", err.Error())
			return socket, nil
		}
	}
	g.log.Warn("there is no admin API: status, top, why, drain and the dashboard do not work", "error", err.Error())
	return nil, nil
}

func (g *Gate) newAdmin(c config.Admin, socket net.Listener) *adminServer {
	s := &adminServer{config: c, door: &door{socket: socket, failed: g.fdShortage.note}}
	if c.Flight > 0 {
		s.flight = trace.NewFlightRecorder(trace.FlightRecorderConfig{MinAge: c.Flight})
	}
	o := assemble.Admin(c)
	o.Version, o.Control, o.Requests, o.Tally, o.Flight = g.opts.Version, control{g}, &g.ring, &g.tally, s.flight
	o.Journal, o.Wiring = g.journal, g.wiring
	if g.counts != nil {
		o.More = map[string]http.Handler{"GET /metrics": g.counts.Handler()}
	}
	s.api = admin.New(o)
	s.http = &http.Server{
		Handler:           s.api,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(g.log.Handler(), slog.LevelDebug),
	}
	return s
}

// replaceAdmin puts next in the place of old; either may be nil.
func (g *Gate) replaceAdmin(old, next *adminServer) {
	if old == next {
		return
	}
	if old != nil {
		old.heir = next != nil && next.door.socket == old.door.socket
		old.hush()
		// The request that asked for this may be one of its own.
		g.tasks.Go(old.end)
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

// end gives the last answers their time.
func (s *adminServer) end() {
	ctx, cancel := context.WithTimeout(context.Background(), lastWords)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		s.http.Close()
	}
}

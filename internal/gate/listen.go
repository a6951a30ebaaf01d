package gate

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/proxy"
)

// server is one listener and what serves it.
type server struct {
	listener net.Listener
	http     *http.Server
	address  string // as it can be dialled
}

// listen opens all listeners, or none.
func (g *Gate) listen() ([]*server, error) {
	var servers []*server
	var errs []error
	for i, l := range g.config.Listeners {
		s, err := g.newServer(l)
		if err != nil {
			errs = append(errs, fmt.Errorf("listeners[%d]: %w", i, err))
			continue
		}
		servers = append(servers, s)
	}
	if err := errors.Join(errs...); err != nil {
		closeAll(servers)
		return nil, err
	}
	return servers, nil
}

func (g *Gate) newServer(l config.Listener) (*server, error) {
	network, address := l.Network()
	if network == "unix" {
		if err := removeStale(address); err != nil {
			return nil, err
		}
	}
	ln, err := net.Listen(network, address)
	if err != nil {
		return nil, err
	}
	s := &server{listener: ln, address: ln.Addr().String()}
	if network == "unix" {
		s.address = "unix:" + address
		if err := os.Chmod(address, l.Mode); err != nil {
			ln.Close()
			return nil, err
		}
	}
	client := proxy.ClientTimeouts{BodyIdle: l.Timeouts.BodyIdle, WriteIdle: l.Timeouts.WriteIdle}
	s.http = &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			g.live.Load().Serve(w, r, client)
		}),
		ReadHeaderTimeout:            l.Timeouts.Header,
		IdleTimeout:                  l.Timeouts.Keepalive,
		MaxHeaderBytes:               int(l.MaxHeader),
		ErrorLog:                     slog.NewLogLogger(g.log.Handler(), slog.LevelDebug),
		DisableGeneralOptionsHandler: true, // OPTIONS * is the application's to answer
	}
	if g.counts != nil {
		s.http.ConnState = g.counts.ConnState(l.Address)
	}
	return s, nil
}

// removeStale takes away the socket file of a process that is gone. One that
// still answers, or a file that is no socket, stays.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("unix:%s exists and is not a socket", path)
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		c.Close()
		return fmt.Errorf("unix:%s is in use: another process answers on it", path)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return err
	}
	return os.Remove(path)
}

func (s *server) serve() error {
	err := s.http.Serve(s.listener)
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("listener %s: %w", s.address, err)
}

func closeAll(servers []*server) {
	for _, s := range servers {
		s.http.Close()
		s.listener.Close()
	}
}

func addresses(servers []*server) []string {
	list := make([]string, len(servers))
	for i, s := range servers {
		list[i] = s.address
	}
	return list
}

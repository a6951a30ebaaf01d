package gate

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/goodgate/goodgate/internal/assemble"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/wire/http3"
	"github.com/goodgate/goodgate/proxy"
)

// wantedBuffer is the least size, in bytes, of the kernel's UDP buffer. With less,
// packets are lost as soon as several clients send at once. quic-go asks for 7 MiB.
const wantedBuffer = 2 << 20

// rebind is the interval at which a process tries to open a UDP port that the previous
// one still has.
const rebind = 100 * time.Millisecond

// http3Server serves a listener's HTTP/3. All methods accept nil, and then do nothing.
type http3Server struct {
	gate    *Gate
	config  config.Listener
	address string // of the TCP socket
	server  *http3.Server
	socket  *udpSocket // nil until it is open
	altSvc  atomic.Pointer[[]string]
	serving *task
	once    sync.Once
}

// offerHTTP3 adds HTTP/3 to a server if its listener is configured for it. It opens the
// UDP socket, unless the previous process still has it.
func (g *Gate) offerHTTP3(s *server, granted proxy.Listener, base context.Context) error {
	l := s.config
	if !l.HTTP3.Enabled {
		return nil
	}
	h := &http3Server{gate: g, config: l, address: s.address}
	o := assemble.HTTP3(l)
	o.TLS, o.Base, o.Short, o.Begun, o.Counted = s.clients.overQUIC(s.tls), base, g.memory.Short, g.newResets3(l).begin, g.countHTTP3(l)
	o.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.live.Load().Serve(w, r, granted)
	})
	h.server = http3.New(o)
	err := h.open()
	replaces := g.background == nil && g.opts.Inherit.Successor()
	if err != nil && !(replaces && errors.Is(err, syscall.EADDRINUSE)) {
		return fmt.Errorf("http3: %w", err)
	}
	s.http3 = h
	return nil
}

// withAltSvc returns granted with the Alt-Svc value that announces HTTP/3.
func (h *http3Server) withAltSvc(granted proxy.Listener) proxy.Listener {
	if h != nil {
		if v := h.altSvc.Load(); v != nil {
			granted.AltSvc = *v
		}
	}
	return granted
}

// overUDP returns the name of a listener's HTTP/3 in metrics.
func overUDP(l config.Listener) string { return "udp:" + l.Address }

// countHTTP3 returns a function that counts the connections of HTTP/3, apart from those
// over TCP; nil without metrics.
func (g *Gate) countHTTP3(l config.Listener) func(open bool) {
	if g.opts.Metrics == nil {
		return nil
	}
	count := g.opts.Metrics.ConnState(overUDP(l))
	return func(open bool) {
		if open {
			count(nil, http.StateNew)
		} else {
			count(nil, http.StateClosed)
		}
	}
}

func (h *http3Server) open() (err error) {
	if h.socket, err = h.gate.udp.open(h.address); err != nil {
		return err
	}
	if has := h.socket.Buffer(); has > 0 && has < wantedBuffer && h.socket.users == 1 {
		h.gate.log.Warn("UDP buffer is small: HTTP/3 loses packets in bursts",
			"listener", h.address, "bytes", has, "wanted", wantedBuffer, "setting", "net.core.rmem_max")
	}
	return nil
}

// start serves HTTP/3. It calls failed if serving ends by itself.
func (h *http3Server) start(failed func(error)) {
	if h == nil {
		return
	}
	if h.socket != nil {
		h.server.Attach(h.socket.Socket)
	}
	h.serving = begin(context.Background(), func(ctx context.Context) {
		if h.socket == nil && !h.takeOver(ctx, failed) {
			return
		}
		h.server.Attach(h.socket.Socket) // before responses announce it
		h.announce()
		if err := h.server.Serve(h.socket.Socket); err != nil {
			failed(fmt.Errorf("http3: %w", err))
		}
	})
}

// takeOver opens the UDP socket once the previous process has closed it, which happens
// when its last client has left. Until then new clients use TCP. It returns false when
// ctx ends or opening fails.
func (h *http3Server) takeOver(ctx context.Context, failed func(error)) bool {
	h.gate.log.Info("HTTP/3 waits until the old process releases the port", "listener", h.address)
	tick := time.NewTicker(rebind)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
		switch err := h.open(); {
		case err == nil:
			h.gate.log.Info("HTTP/3 started", "listener", h.address)
			return true
		case !errors.Is(err, syscall.EADDRINUSE):
			failed(fmt.Errorf("http3: %w", err))
			return false
		}
	}
}

// announce adds Alt-Svc to the responses over TCP.
func (h *http3Server) announce() {
	c := h.config.HTTP3
	if c.MaxAge == 0 {
		return
	}
	port := c.Port
	if port == 0 {
		port = h.socket.Addr().(*net.UDPAddr).Port
	}
	h.altSvc.Store(&[]string{fmt.Sprintf(`h3=":%d"; ma=%d`, port, int64(c.MaxAge.Seconds()))})
}

// leave refuses new connections, and asks clients to leave.
func (h *http3Server) leave() {
	if h == nil {
		return
	}
	h.once.Do(func() {
		h.altSvc.Store(nil)
		if h.serving != nil {
			h.serving.cancel()
		}
		h.server.Leave()
		h.serving.stop()
		h.gate.tasks.Go(func() {
			<-h.server.Gone()
			h.gate.udp.close(h.socket)
		})
	})
}

// wait waits, after leave, until the last connection has closed, or until ctx ends.
func (h *http3Server) wait(ctx context.Context) error {
	if h == nil {
		return nil
	}
	select {
	case <-h.server.Gone():
		return nil
	default:
	}
	select {
	case <-h.server.Gone():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// close closes all connections at once.
func (h *http3Server) close() {
	if h == nil {
		return
	}
	h.leave()
	h.server.Close()
}

// udpSockets holds the open UDP sockets. Several servers may use one socket: the present
// one, and earlier ones that still have clients.
type udpSockets struct {
	mu  sync.Mutex // protects set
	set map[string]*udpSocket
}

type udpSocket struct {
	*http3.Socket
	address string
	users   int
}

// open returns the socket of an address. The caller releases it with close.
func (u *udpSockets) open(address string) (*udpSocket, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	k := u.set[address]
	if k == nil {
		socket, err := http3.Open(address)
		if err != nil {
			return nil, &bindError{"udp", address, err}
		}
		k = &udpSocket{Socket: socket, address: address}
		if u.set == nil {
			u.set = map[string]*udpSocket{}
		}
		u.set[address] = k
	}
	k.users++
	return k, nil
}

func (u *udpSockets) close(k *udpSocket) {
	if k == nil {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if k.users--; k.users == 0 {
		delete(u.set, k.address)
		k.Close()
	}
}

//go:build !minimal

package http3

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/goodgate/goodgate/internal/limit"
)

// window is how many bytes of request bodies a client may send ahead, on a connection and
// on one stream: net/http's limit for HTTP/2.
const window = 1 << 20

// uniStreams is the limit on a client's unidirectional streams. HTTP/3 has three, and a
// few that are ignored (RFC 9114, section 6.2.3).
const uniStreams = 8

// farewell is how long a connection without a request stays after GOAWAY.
const farewell = time.Second

// Codes of RFC 9114, section 8.1.
const (
	noError       = quic.ApplicationErrorCode(http3.ErrCodeNoError)
	excessiveLoad = quic.ApplicationErrorCode(http3.ErrCodeExcessiveLoad)
)

// Server serves the connections of a socket while it is attached.
type Server struct {
	opts  Options
	quic  *quic.Config
	tls   *tls.Config
	plain http.Server // serves nothing
	count *limit.Count

	taking context.Context // ends when the server refuses new connections
	refuse context.CancelFunc
	served chan struct{} // closed when Serve has returned
	gone   chan struct{} // closed when no connection is left after Leave
	once   sync.Once
	conns  sync.WaitGroup // accepted connections

	mu      sync.Mutex // protects the fields below
	socket  *Socket    // nil before Attach
	clients map[*client]struct{}
	leaving bool
}

// New returns a server without a socket.
func New(o Options) *Server {
	s := &Server{
		opts: o, count: o.Connections.Count(), clients: map[*client]struct{}{},
		served: make(chan struct{}), gone: make(chan struct{}),
		tls: http3.ConfigureTLSConfig(o.TLS),
	}
	s.taking, s.refuse = context.WithCancel(context.Background())
	s.quic = &quic.Config{
		Versions:                       []quic.Version{quic.Version1, quic.Version2},
		HandshakeIdleTimeout:           o.Header,
		MaxIdleTimeout:                 o.Idle,
		KeepAlivePeriod:                o.Idle / 2,
		InitialStreamReceiveWindow:     window / 4,
		MaxStreamReceiveWindow:         window,
		InitialConnectionReceiveWindow: window / 2,
		MaxConnectionReceiveWindow:     window,
		MaxIncomingStreams:             int64(o.MaxStreams),
		MaxIncomingUniStreams:          uniStreams,
	}
	return s
}

// Attach makes new connections of the socket wait for [Server.Serve], instead of being
// refused. It does nothing after [Server.Leave], or at a second call. Serve must follow.
func (s *Server) Attach(k *Socket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leaving || s.socket != nil {
		return
	}
	s.socket = k
	k.present.Store(s)
}

// Serve attaches to the socket, and serves its connections until [Server.Leave]. Then it
// returns nil. It must be called once.
func (s *Server) Serve(k *Socket) error {
	defer close(s.served)
	s.Attach(k)
	s.mu.Lock()
	leaving := s.leaving
	s.mu.Unlock()
	if leaving {
		return nil
	}
	for {
		c, conn, err := k.accept(s)
		switch {
		case s.taking.Err() != nil && err != nil, errors.Is(err, quic.ErrServerClosed):
			return nil
		case err != nil:
			return err
		}
		c.join()
		s.conns.Go(func() { c.serve(conn) })
	}
}

// Leave refuses new connections, and asks clients to leave: their requests are answered,
// and idle connections close after a second. It does not wait; see [Server.Gone]. It may
// be called again.
func (s *Server) Leave() {
	s.once.Do(func() {
		s.mu.Lock()
		s.leaving = true
		socket := s.socket
		s.mu.Unlock()
		s.refuse()
		if socket == nil {
			close(s.gone)
			return
		}
		socket.present.CompareAndSwap(s, nil)
		<-s.served // no connection joins from now on
		for _, c := range s.open() {
			c.hurry()
		}
		go func() {
			s.conns.Wait()
			close(s.gone)
		}()
	})
}

// Gone returns a channel that closes, after [Server.Leave], once no connection is left.
func (s *Server) Gone() <-chan struct{} { return s.gone }

// Close ends all connections at once, and returns when their requests have ended.
func (s *Server) Close() {
	s.Leave()
	for _, c := range s.open() {
		c.http3.Close()
	}
	<-s.gone
}

// begin handles a connection after its handshake. The context of its requests ends with
// the connection and with the server. It contains net/http's key, which httputil looks
// for before it aborts a response that breaks off.
func (s *Server) begin(ctx context.Context, conn *quic.Conn) context.Context {
	clientOf(ctx).begin(conn)
	ctx, cancel := context.WithCancelCause(ctx)
	ctx = context.WithValue(ctx, http.ServerContextKey, &s.plain)
	if s.opts.Begun != nil {
		ctx = s.opts.Begun(ctx, func() { conn.CloseWithError(excessiveLoad, "") })
	}
	stop := context.AfterFunc(s.opts.Base, func() { cancel(context.Cause(s.opts.Base)) })
	context.AfterFunc(ctx, func() { stop(); cancel(nil) })
	return ctx
}

// serve answers a request.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	c := clientOf(r.Context())
	c.enter()
	defer c.exit()
	out := &writer{ResponseWriter: w, control: http.NewResponseController(w), patience: s.opts.WriteIdle}
	s.adapt(out, r)
	s.opts.Handler.ServeHTTP(out, r)
	if !out.begun {
		out.WriteHeader(http.StatusOK)
	}
}

package inbound

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goodgate/goodgate/internal/wire/header"
	"github.com/goodgate/goodgate/internal/wire/message"
)

// Options configure a [Server].
type Options struct {
	// Serve serves requests. Do not use w, r or the request's context after Serve has
	// returned: the next request reuses their memory. Three things are exceptions and stay
	// valid: a context whose Done was called, everything that r.HTTP returns, and a request
	// with a body. w also has the method AwaitBody(func(error)) bool: a handler that gets
	// true may return early, and the function that it passed may still use w, r and the
	// context.
	Serve func(w ResponseWriter, r *message.Request)
	// Handler serves requests in place of Serve.
	Handler http.Handler
	Base    context.Context // parent of every request's context

	// Refuse answers malformed and ambiguous requests, with a status of 400 or more. r
	// has the parts of the request that the server understood. nil = the server answers
	// with the status and its standard text.
	Refuse func(w ResponseWriter, r *message.Request, status int, err error)

	Header    time.Duration // time limit for reading a request's header, and for the TLS handshake; 0 = no limit
	KeepAlive time.Duration // longest wait for the next request on a connection; 0 = no limit
	Age       time.Duration // once a connection is this old, it closes after its current request; a random part of up to a tenth is subtracted; 0 = no limit
	Requests  int           // largest number of requests on a connection, which closes after the last; 0 = no limit
	MaxHeader int           // largest size of a request's line and header, in bytes; 0 = 1 MiB

	// TLS configures TLS with the clients; nil = no TLS. Its NextProtos decide whether the
	// server offers HTTP/2.
	TLS *tls.Config
	// HTTP2 serves HTTP/2 connections: those that negotiated HTTP/2 by ALPN and, if its
	// Protocols allow it, cleartext connections that begin with HTTP/2's preface. The
	// Server owns it. nil = no HTTP/2.
	HTTP2 *http.Server

	// ConnState is called for each connection, including those of HTTP/2, when it is new and
	// when it is closed or hijacked; nil = no call.
	ConnState func(net.Conn, http.ConnState)
	Log       *slog.Logger // nil = none
}

// ResponseWriter writes the response to a request. It supports all methods of
// [http.ResponseController].
type ResponseWriter interface {
	http.ResponseWriter

	// WriteHead is WriteHeader for a head received from an upstream. It sends the fields of
	// h in their order and case, and then those of Header. The server still decides the
	// framing and whether the connection stays open: Content-Length gives the length,
	// Transfer-Encoding means that the length is unknown, and Connection may ask to close.
	// An empty reason means the standard phrase. The server does not keep h.
	WriteHead(status int, reason string, h *header.Head)
}

// Server serves the connections of one listener.
type Server struct {
	opts    Options
	base    context.Context
	handoff *handoff       // nil = no HTTP/2
	h2c     bool           // clients may speak HTTP/2 in the clear
	running sync.WaitGroup // the server of HTTP/2
	readers sync.Pool      // of *bufio.Reader
	writers sync.Pool      // of *[bufferSize]byte
	rooms   sync.Pool      // of *response
	date    date
	closing atomic.Bool

	mu    sync.Mutex // protects the fields below
	conns map[*conn]struct{}
	none  chan struct{} // closed when there are no connections; nil while nobody waits
}

// New returns a server. The caller must call [Server.Close].
func New(o Options) *Server {
	s := &Server{opts: o, conns: map[*conn]struct{}{}}
	s.opts.MaxHeader = cmp.Or(o.MaxHeader, http.DefaultMaxHeaderBytes)
	// httputil looks for this server before it panics to cut off an answer.
	s.base = context.WithValue(o.Base, http.ServerContextKey, cmp.Or(o.HTTP2, &http.Server{}))
	s.readers.New = func() any { return bufio.NewReaderSize(nil, bufferSize) }
	s.writers.New = func() any { return new([bufferSize]byte) }
	s.rooms.New = func() any { return newRoom() }
	if o.Serve == nil {
		s.opts.Serve = func(w ResponseWriter, r *message.Request) { o.Handler.ServeHTTP(w, r.HTTP()) }
	}
	if o.HTTP2 != nil {
		s.serveHTTP2()
	}
	return s
}

// Direct is an interface for connection wrappers that leave all bytes unchanged, for
// example a wrapper that counts connections. The server reads from and writes to the
// connection that Direct returns, and closes the wrapper.
type Direct interface{ Direct() net.Conn }

// Serve serves the connections of a listener until the listener is closed or fails
// permanently, and returns the error. Open connections continue.
func (s *Server) Serve(l net.Listener) error {
	var pause time.Duration
	for {
		nc, err := l.Accept()
		if err != nil {
			if s.closing.Load() {
				return http.ErrServerClosed
			}
			if !temporary(err) {
				return err
			}
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			time.Sleep(pause)
			continue
		}
		pause = 0
		c := newConn(s, nc)
		if !s.add(c) {
			nc.Close()
			return http.ErrServerClosed
		}
		s.state(nc, http.StateNew)
		if c.sock != nil && s.opts.TLS == nil {
			c.boundWait() // here, since it takes more than the smallest stack, which then suffices for a client that waits
			c.rested = true
		}
		go c.run()
	}
}

// temporary reports whether a later Accept may succeed, for example after the process
// ran out of file descriptors.
func temporary(err error) bool {
	// Temporary is not well defined. That does not matter, because the pause bounds the
	// loop.
	t, ok := errors.AsType[interface {
		error
		Temporary() bool
	}](err)
	return ok && t.Temporary()
}

func (s *Server) add(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Load() {
		return false
	}
	s.conns[c] = struct{}{}
	return true
}

func (s *Server) forget(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if len(s.conns) == 0 && s.none != nil {
		close(s.none)
		s.none = nil
	}
}

// Shutdown accepts no more requests. It returns when the requests in flight have ended,
// or when ctx ends. The listener must be closed already.
func (s *Server) Shutdown(ctx context.Context) error {
	s.closing.Store(true)
	var err2 error
	var wg sync.WaitGroup
	if s.handoff != nil {
		wg.Go(func() { err2 = s.opts.HTTP2.Shutdown(ctx) })
	}
	err := s.wait(ctx)
	wg.Wait()
	return cmp.Or(err, err2)
}

func (s *Server) wait(ctx context.Context) error {
	for c := range s.now() {
		c.hurry()
	}
	select {
	case <-s.empty():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// now returns the connections.
func (s *Server) now() map[*conn]struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.conns)
}

func (s *Server) empty() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	none := s.none
	if none == nil {
		none = make(chan struct{})
		if len(s.conns) == 0 {
			close(none)
		} else {
			s.none = none
		}
	}
	return none
}

// Close closes all connections. It does not wait for their handlers.
func (s *Server) Close() {
	s.closing.Store(true)
	for c := range s.now() {
		c.raw.Close()
	}
	if s.handoff != nil {
		s.opts.HTTP2.Close()
		s.running.Wait()
	}
}

func (s *Server) state(c net.Conn, state http.ConnState) {
	if s.opts.ConnState != nil {
		s.opts.ConnState(c, state)
	}
}

func (s *Server) note(msg string, args ...any) {
	if s.opts.Log != nil {
		s.opts.Log.Debug(msg, args...)
	}
}

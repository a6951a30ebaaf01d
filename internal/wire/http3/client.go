//go:build !minimal

package http3

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/goodgate/goodgate/internal/wire/deadline"
)

type clientKey struct{}

// clientOf returns the connection of a context; nil without one.
func clientOf(ctx context.Context) *client {
	c, _ := ctx.Value(clientKey{}).(*client)
	return c
}

// client is one connection.
type client struct {
	server   *Server
	http3    http3.Server // one for each connection, because its Shutdown sends GOAWAY to all of its connections
	conn     *quic.Conn   // nil during the handshake
	verified func()       // called once when the handshake has ended; nil = the address was verified before
	age      deadline.Age

	mu      sync.Mutex // protects the fields below
	running int        // requests
	asked   int        // requests since the beginning
	timer   *time.Timer
	leaving bool
	ended   bool
}

func newClient(s *Server) *client {
	c := &client{server: s, age: deadline.AgeIn(s.opts.Age)}
	c.http3.Handler = http.HandlerFunc(s.serve)
	c.http3.MaxHeaderBytes = s.opts.MaxHeader
	c.http3.ConnContext = s.begin
	return c
}

// join adds an accepted connection to those that Leave and Close concern.
func (c *client) join() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	c.server.clients[c] = struct{}{}
}

// serve serves a connection to its end.
func (c *client) serve(conn *quic.Conn) {
	if err := c.http3.ServeQUICConn(conn); errors.Is(err, http.ErrServerClosed) {
		conn.CloseWithError(noError, "") // leave or Close came before
	}
}

// begin records the end of the handshake.
func (c *client) begin(conn *quic.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conn = conn
	c.confirm()
	if c.ended {
		return
	}
	wait := c.server.opts.Header
	if c.leaving {
		wait = farewell
	}
	c.timer = time.AfterFunc(wait, c.idle)
}

// confirm reports the end of the handshake. mu must be held.
func (c *client) confirm() {
	if c.verified != nil {
		c.verified()
		c.verified = nil
	}
}

// end records that the connection has closed.
func (c *client) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	c.confirm()
	if c.timer != nil {
		c.timer.Stop()
	}
	c.server.part(c)
}

// enter counts a request.
func (c *client) enter() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running++
	c.asked++
	c.timer.Stop()
	if most := c.server.opts.Requests; most > 0 && c.asked >= most || c.age.Reached() {
		c.leave()
	}
}

// exit ends a request counted by enter.
func (c *client) exit() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running--; c.running > 0 || c.ended {
		return
	}
	if c.leaving {
		c.timer.Reset(farewell)
	} else {
		c.timer.Reset(c.server.opts.Keepalive)
	}
}

// leave sends GOAWAY, once: the client sends no more requests on this connection. mu must
// be held.
func (c *client) leave() {
	if c.leaving || c.ended {
		return
	}
	c.leaving = true
	c.server.conns.Go(func() { c.http3.Shutdown(context.Background()) }) // returns when the connection has closed
}

// hurry asks the client to leave, and shortens its idle time.
func (c *client) hurry() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leave()
	if c.timer != nil && c.running == 0 && !c.ended {
		c.timer.Reset(farewell)
	}
}

// idle closes a connection that has had no request for long enough. A request with an
// incomplete header does not count.
func (c *client) idle() {
	c.mu.Lock()
	busy := c.running > 0
	c.mu.Unlock()
	if !busy {
		c.conn.CloseWithError(noError, "no request for too long")
	}
}

// open returns the accepted connections that have not ended.
func (s *Server) open() []*client {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.clients))
}

func (s *Server) part(c *client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.clients, c)
}

//go:build !minimal

package http3

import (
	"context"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
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
	conn     *quic.Conn // nil during the handshake
	verified func()     // called once when the handshake has ended; nil = the address was verified before

	mu      sync.Mutex // protects the fields below
	running int        // requests
	timer   *time.Timer
	leaving bool
	ended   bool
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
	c.leaving = c.server.join(c)
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
	c.timer.Stop()
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

// hurry shortens the idle time of a connection that must leave.
func (c *client) hurry() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leaving = true
	if c.running == 0 && !c.ended {
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

// join adds a connection to those that Leave concerns. It reports whether the server is
// leaving already.
func (s *Server) join(c *client) (leaving bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clients[c] = struct{}{}
	return s.leaving
}

func (s *Server) part(c *client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.clients, c)
}

package inbound

import (
	"bufio"
	"time"

	"github.com/goodgate/goodgate/internal/wire/deadline"
)

type outcome int

const (
	ready outcome = iota // a request has begun to come
	rest                 // the goroutine is to be replaced
	over                 // the connection is to be closed
)

// await waits for a request.
func (c *conn) await() outcome {
	if c.buffered() > 0 {
		return ready
	}
	if !c.rested {
		c.boundWait()
	}
	c.rested = false
	c.phase.Store(idle)
	defer c.phase.Store(busy)
	for {
		if c.s.closing.Load() && !c.lastChance() {
			return over
		}
		err := c.begin()
		switch {
		case err == nil:
			return ready
		case !deadline.Exceeded(err) || !c.rd.Again():
			return over
		case c.served:
			c.served, c.rested = false, true
			c.watch.reset(nil) // else the last request is kept
			return rest
		}
	}
}

// boundWait bounds the wait for a request. After an earlier request it wakes soon, to
// continue on a small stack.
func (c *conn) boundWait() {
	now := time.Now()
	if c.first {
		c.rd.Bound(deadline.After(now, c.s.opts.Header))
		return
	}
	c.rd.BoundAndWake(deadline.After(now, c.s.opts.KeepAlive), now.Add(settle))
}

// lastChance lets a new connection send its first request although the server shuts
// down.
func (c *conn) lastChance() bool {
	if !c.first || c.hurried {
		return false
	}
	c.hurried = true
	c.rd.Bound(time.Now().Add(firstRequest))
	return true
}

// begin waits for the first bytes.
func (c *conn) begin() error {
	if c.sock != nil && !c.ahead && c.lost == nil {
		return c.sock.wait()
	}
	if c.ahead {
		return c.fill()
	}
	n, err := c.read(c.next[:])
	c.ahead = n > 0
	if err != nil {
		return err
	}
	return c.fill()
}

// fill reads into a buffer, which it keeps only if it got bytes.
func (c *conn) fill() error {
	c.getReader()
	_, err := c.br.Peek(1)
	if err != nil {
		c.put()
	}
	return err
}

// buffered returns the number of bytes that were read but not used.
func (c *conn) buffered() int {
	if c.br == nil {
		return 0
	}
	return c.br.Buffered()
}

// getReader takes a read buffer from the pool.
func (c *conn) getReader() {
	c.br = c.s.readers.Get().(*bufio.Reader)
	c.br.Reset(c)
}

// putReader returns the read buffer to the pool.
func (c *conn) putReader() {
	if c.br != nil {
		c.br.Reset(nil)
		c.s.readers.Put(c.br)
		c.br = nil
	}
}

// put returns the buffers to their pools.
func (c *conn) put() {
	c.putReader()
	if cap(c.out) == bufferSize {
		c.s.writers.Put((*[bufferSize]byte)(c.out[:bufferSize]))
	}
	c.out = nil
}

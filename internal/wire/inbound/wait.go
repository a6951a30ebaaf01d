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

// boundWait bounds the wait for a request. Behind another one it wakes early, to go on
// with a small stack.
func (c *conn) boundWait() {
	now := time.Now()
	if c.first {
		c.rd.Bound(deadline.After(now, c.s.opts.Header))
		return
	}
	c.rd.BoundAndWake(deadline.After(now, c.s.opts.KeepAlive), now.Add(settle))
}

// lastChance lets a new connection bring its request though the server is about
// to end.
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

// fill reads into a buffer, which it keeps only if something came.
func (c *conn) fill() error {
	c.getReader()
	_, err := c.br.Peek(1)
	if err != nil {
		c.put()
	}
	return err
}

// buffered returns how many bytes were read and not used.
func (c *conn) buffered() int {
	if c.br == nil {
		return 0
	}
	return c.br.Buffered()
}

// getReader takes a buffer for what is read.
func (c *conn) getReader() {
	c.br = c.s.readers.Get().(*bufio.Reader)
	c.br.Reset(c)
}

// putReader gives the buffer for what is read back.
func (c *conn) putReader() {
	if c.br != nil {
		c.br.Reset(nil)
		c.s.readers.Put(c.br)
		c.br = nil
	}
}

// put gives the buffers back.
func (c *conn) put() {
	c.putReader()
	if cap(c.out) == bufferSize {
		c.s.writers.Put((*[bufferSize]byte)(c.out[:bufferSize]))
	}
	c.out = nil
}

package inbound

import (
	"github.com/goodgate/goodgate/internal/wire/deadline"
	"github.com/goodgate/goodgate/internal/wire/pipe"
	"github.com/goodgate/goodgate/internal/wire/socket"
)

// write sends a part of a response, or buffers it.
func (c *conn) write(p []byte) error {
	if len(c.out)+len(p) <= bufferSize {
		c.out = append(c.out, p...)
		return nil
	}
	return c.flush(p)
}

// flush sends the buffered bytes and p.
func (c *conn) flush(p []byte) error {
	if c.failed != nil {
		return c.failed
	}
	out := c.out
	if cap(out) > bufferSize {
		c.out = nil
	} else {
		c.out = out[:0]
	}
	for len(out)+len(p) > 0 {
		_, err := socket.Write(c.nc, &out, &p)
		if err != nil && (!deadline.Exceeded(err) || c.wr.Eager || !c.wr.Again()) {
			c.failed = err
			return err
		}
	}
	return nil
}

// drain sends the buffered bytes and the content of a pipe.
func (c *conn) drain(p *pipe.Pipe) error {
	if err := c.flush(nil); err != nil {
		return err
	}
	for p.Len() > 0 {
		if _, err := p.Drain(c.sock.raw); err != nil && (!deadline.Exceeded(err) || !c.wr.Again()) {
			return err
		}
	}
	return nil
}

// get takes a write buffer from the pool.
func (c *conn) get() {
	if c.out == nil {
		c.out = c.s.writers.Get().(*[bufferSize]byte)[:0]
	}
}

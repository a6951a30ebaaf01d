package inbound

import (
	"slices"
	"time"

	"github.com/goodgate/goodgate/internal/wire/deadline"
	"github.com/goodgate/goodgate/internal/wire/header"
)

// Coming returns how many bytes of a body of known length can be read without waiting;
// 0 = none, or unknown.
func (b *body) Coming() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.err != nil || b.chunks != nil {
		return 0
	}
	n := b.c.buffered()
	if b.c.sock != nil && int64(n) < b.left {
		n += b.c.sock.queued()
	}
	return int(min(int64(n), b.left))
}

// AwaitBody lets a handler return while the body of its request has not arrived. When a
// read would no longer wait, the server calls the function then, which continues to serve
// the request. The argument is nil, or the error that ended the wait. Meanwhile the
// connection holds no buffer, and soon no grown stack. AwaitBody returns false, and does
// nothing, where the handler must wait in a read instead.
func (w *response) AwaitBody(then func(error)) bool {
	if w.c.sock == nil || w.body == nil || w.body.chunks != nil || w.body.expect || w.hijacked || w.c.buffered() > 0 {
		return false
	}
	w.then = then
	return true
}

// awaitBody waits until a read would not wait. It returns rest when another goroutine
// continues the wait.
func (c *conn) awaitBody() (outcome, error) {
	c.putReader()
	if !c.rested {
		c.rd.Wake(time.Now().Add(settleBody))
	}
	for {
		err := c.sock.waitReady()
		if err == nil || !deadline.Exceeded(err) || !c.rd.Again() {
			c.rested = false
			return ready, err
		}
		if !c.rested {
			c.rested = true
			return rest, nil
		}
	}
}

// hasHead reports whether the buffer may contain a whole header, or is full.
func (c *conn) hasHead() bool {
	have, _ := c.br.Peek(c.br.Buffered())
	const passed = 3 // an empty line at the beginning ends nothing
	return len(have) == c.br.Size() || header.End(have, passed) > 0
}

// awaitHead waits until hasHead. A client that stops within a header holds no more
// memory than the bytes that it has sent.
func (c *conn) awaitHead() error {
	for c.sock != nil && !c.hasHead() {
		n := c.br.Buffered()
		have, _ := c.br.Peek(n)
		c.early = slices.Clone(have)
		c.putReader()
		if err := c.waitReady(); err != nil {
			return err
		}
		c.getReader()
		if _, err := c.br.Peek(n + 1); err != nil {
			return err
		}
	}
	return nil
}

// waitReady waits until a read would not wait, within the bound.
func (c *conn) waitReady() error {
	for {
		err := c.sock.waitReady()
		if err == nil || !deadline.Exceeded(err) || !c.rd.Again() {
			return err
		}
	}
}

package http1

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/goodgate/goodgate/internal/wire/deadline"
	"github.com/goodgate/goodgate/internal/wire/pipe"
	"github.com/goodgate/goodgate/internal/wire/socket"
)

// conn is a connection to the upstream, and the state of its current call. It belongs to
// the goroutine of that call. The upload and the end of the context may call only methods
// marked as safe.
type conn struct {
	t    *Transport
	nc   net.Conn
	raw  net.Conn // the one below TLS; closing it ends all waits at once
	tls  *tls.Conn
	sock *probe
	br   *bufio.Reader
	head []byte // memory for the request's header
	rd   waker
	wr   deadline.Alarm // belongs to the writing goroutine

	idleSince time.Time
	sent      uint64 // bytes written in earlier calls
	ackBase   uint64 // bytes acknowledged when the connection was new

	x      *Call
	up     *upload // nil = the call's goroutine writes the body
	broken atomic.Pointer[Error]
	spent  bool // not to be used again
	asked  int  // requests so far
	age    deadline.Age
	end    struct { // of the call's context
		of     context.Context
		minded bool        // the call watches it
		lazy   bool        // watch it only after a moment
		by     time.Time   // end of that moment
		stop   func() bool // stops watching
		cancel func()      // runs at its end
	}
	reading struct { // state of Read
		body     bool       // the response's body, not its header
		headLeft int64      // bytes left for a header
		tooLarge bool       // the header had more
		patience time.Time  // time when ReadUntil gives up; zero = never
		local    bool       // do not use the network
		into     *pipe.Pipe // nil = memory
		most     int        // bytes of a read into a pipe
		err      error      // error of the network
	}
}

// Errors with which this side breaks a connection. A call may report others.
var (
	errCanceled = &Error{Kind: Canceled, Err: context.Canceled}
	errClosed   = &Error{Kind: Canceled, Err: http.ErrBodyReadAfterClose}
)

func newConn(t *Transport, nc net.Conn) *conn {
	c := &conn{t: t, nc: nc, raw: nc}
	c.tls, _ = nc.(*tls.Conn)
	plain := true
	for {
		below, ok := c.raw.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		if _, ok := below.(*tls.Conn); ok {
			plain = false
		}
		c.raw = below.NetConn()
	}
	c.sock = newProbe(c.raw, plain)
	c.ackBase = c.sock.acked()
	c.age = deadline.AgeIn(t.opts.Age)
	c.br = bufio.NewReaderSize(c, t.opts.ReadBuffer)
	c.rd.Set = nc.SetReadDeadline
	c.wr.Set = nc.SetWriteDeadline
	c.wr.Eager = !plain // a write that times out ends a TLS connection
	c.end.cancel = func() {
		c.noteAcked() // a closed socket cannot be queried
		c.fail(errCanceled)
	}
	return c
}

// patience is the time before a call watches the end of its context, because that costs
// more than a read. Most calls are over by then.
const patience = 25 * time.Millisecond

// begin ties the connection to a call. It watches the end of its context at once, or only
// after patience.
func (c *conn) begin(ctx context.Context, x *Call, atOnce bool) {
	c.x = x
	c.asked++
	x.settled.Store(false)
	x.raw.Store(c.sock.socket())
	c.reading.body = false
	c.rd.reset(x.slowAt())
	c.end.of, c.end.stop, c.end.minded, c.end.lazy = x.context(ctx), nil, false, !atOnce
	if atOnce {
		c.obey(c.end.of)
		return
	}
	c.end.by = time.Now().Add(patience)
	c.rd.mindBy(c.end.by)
}

// obey ends the call with ctx, in place of an earlier context from which ctx is derived.
func (c *conn) obey(ctx context.Context) {
	if c.end.stop != nil {
		c.end.stop() // if this comes too late, the new context has ended too
	}
	c.end.of, c.end.stop, c.end.minded = ctx, nil, true
	c.rd.mindBy(time.Time{})
	if ctx.Done() != nil {
		c.end.stop = context.AfterFunc(ctx, c.end.cancel)
	}
}

// finish ends the call. With keep it puts the connection into the pool if its state
// permits.
func (c *conn) finish(keep bool) {
	keep = keep && !c.spent && c.up.finished() && c.reading.err == nil && c.br.Buffered() == 0
	stopped := c.end.stop == nil || c.end.stop() // false: the context's end may be using the call
	if !keep || !stopped || c.broken.Load() != nil {
		c.close()
		c.up.abandon()
		c.x.settled.Store(stopped && c.up == nil)
		return
	}
	c.sent += uint64(c.x.Written())
	c.x.settled.Store(true)
	c.x, c.end.of, c.end.stop, c.up = nil, nil, nil, nil
	c.t.pool.put(c)
}

// fail breaks the connection from this side. All waits end at once, and the call reports
// e. It is safe for concurrent use.
func (c *conn) fail(e *Error) {
	if c.broken.CompareAndSwap(nil, e) {
		c.raw.Close()
	}
}

func (c *conn) close() { c.nc.Close() }

// quiet reports whether an idle connection is open and has nothing to read.
func (c *conn) quiet() bool {
	if !c.sock.quiet() {
		return false
	}
	if c.tls == nil {
		return true
	}
	// TLS may have buffered bytes. It returns those before it checks the deadline.
	c.tls.SetReadDeadline(time.Unix(1, 0))
	n, err := c.tls.Read(make([]byte, 1))
	c.rd.Off()
	return n == 0 && deadline.Exceeded(err)
}

// direct reports whether the connection's bytes are those of its socket, without TLS.
func (c *conn) direct() bool { return c.sock != nil && c.nc == c.raw }

// Read reads from the network for the connection's bufio.Reader, within the limits of
// time and of the header's size.
func (c *conn) Read(p []byte) (int, error) {
	if c.reading.local {
		return 0, errWouldWait
	}
	if c.reading.headLeft <= 0 {
		c.reading.tooLarge = true
		return 0, errHeaderTooLarge
	}
	p = p[:min(int64(len(p)), c.reading.headLeft)]
	if c.reading.body {
		c.boundBody()
	}
	n, err := c.wait(p)
	c.x.received.Add(int64(n))
	c.reading.headLeft -= int64(n)
	if err != nil && err != ErrNotYet {
		c.reading.err = err
	}
	return n, err
}

// wait reads until the bound. While a body is read, progress of an upload extends the
// bound.
func (c *conn) wait(p []byte) (int, error) {
	written := c.x.Written()
	for {
		n, err := c.readOnce(p)
		if n > 0 && deadline.Exceeded(err) {
			return n, nil
		}
		if err == nil || !deadline.Exceeded(err) || c.broken.Load() != nil {
			return n, err
		}
		if !c.end.minded {
			c.obey(c.end.of)
		}
		if !c.reading.patience.IsZero() && !time.Now().Before(c.reading.patience) {
			return 0, ErrNotYet
		}
		if now := c.x.Written(); c.reading.body && now != written {
			written = now
			c.boundBody()
		}
		if c.rd.wakes() {
			if ctx := c.x.ask(); ctx != nil {
				c.obey(ctx)
			}
			c.rd.wakeAt(c.x.slowAt())
		}
		if !c.rd.Again() {
			return 0, err
		}
	}
}

func (c *conn) readOnce(p []byte) (int, error) {
	if c.reading.into != nil {
		return c.reading.into.Fill(c.sock.raw, c.reading.most)
	}
	return c.nc.Read(p)
}

// fill is Read into a pipe.
func (c *conn) fill(p *pipe.Pipe, most int64) (int, error) {
	c.reading.into, c.reading.most = p, int(min(most, largestPiece))
	n, err := c.Read(nil)
	c.reading.into = nil
	return n, err
}

// largestPiece is the largest number of bytes to ask of a pipe at a time. The kernel's
// own bound is normally lower.
const largestPiece = 1 << 20

// write writes a and then b. It fails if nothing moves for longer than the bound in
// either direction. It is safe beside a Read.
func (c *conn) write(a, b []byte) error {
	idle := c.t.opts.Idle
	c.wr.Bound(deadline.After(time.Now(), idle))
	received := c.x.Received()
	for {
		if c.end.lazy && !c.end.minded && len(b) > 0 { // a larger write may have to wait
			c.wr.Wake(c.end.by)
		}
		n, err := socket.Write(c.nc, &a, &b)
		c.x.written.Add(n)
		if err == nil || !deadline.Exceeded(err) || c.wr.Eager {
			return err
		}
		if c.end.lazy && !c.end.minded && !time.Now().Before(c.end.by) {
			c.obey(c.end.of)
		}
		if now := c.x.Received(); n > 0 || now != received {
			received = now
			c.wr.Bound(deadline.After(time.Now(), idle))
		}
		if !c.wr.Again() {
			return err
		}
	}
}

// closeWrite ends the sending side.
func (c *conn) closeWrite() error {
	if half, ok := c.nc.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.nc.Close()
}

// boundHeader starts the time limit for the response's header. It is safe for concurrent
// use.
func (c *conn) boundHeader() {
	c.rd.Bound(deadline.After(time.Now(), c.t.opts.ResponseHeader), stageHeader)
}

// boundBody starts the time limit for the next bytes of the response's body.
func (c *conn) boundBody() {
	until := deadline.After(time.Now(), c.t.opts.Idle)
	if !c.reading.patience.IsZero() && (until.IsZero() || c.reading.patience.Before(until)) {
		until = c.reading.patience
	}
	c.rd.Bound(until, stageBody)
}

// undelivered reports, after a call that ended with FIN and without an answer, whether
// the upstream provably took no byte of the request: it had closed the connection in
// order, it answers later bytes with RST, and its TCP has acknowledged no byte of the
// request. undelivered waits a moment for that RST, because without it the upstream may
// have closed only its own direction.
func (c *conn) undelivered() bool {
	return c.ackBase > 0 && c.x.Sent() && c.sock.refused(c.ackBase+c.sent)
}

// noteAcked notes how many bytes of a failing request were acknowledged. The first result
// stays. It is safe for concurrent use within a call.
func (c *conn) noteAcked() {
	if c.ackBase == 0 {
		return
	}
	if now := c.sock.acked(); now > 0 {
		n := int64(now) - int64(c.ackBase+c.sent)
		c.x.acked.CompareAndSwap(0, 1+max(0, min(n, c.x.Written())))
	}
}

// errNotQuiet is the error of an unusable idle connection.
var errNotQuiet = errors.New("the idle connection has ended, or brought what nobody asked for")

// errWouldWait is the error of a read that must not wait.
var errWouldWait = errors.New("nothing more is buffered")

var errHeaderTooLarge = errors.New("response header too large")

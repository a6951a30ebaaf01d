package http1

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/goodgate/goodgate/internal/wire/deadline"
	"github.com/goodgate/goodgate/internal/wire/pipe"
	"github.com/goodgate/goodgate/internal/wire/socket"
)

// conn is a connection to the upstream, and the state of the call that it
// serves. It belongs to the goroutine of that call; what the upload and the
// context's end may touch is said to be safe.
type conn struct {
	t    *Transport
	nc   net.Conn
	raw  net.Conn // the one below TLS; closing it ends all waits at once
	tls  *tls.Conn
	sock *probe
	br   *bufio.Reader
	head []byte // room for the request's header
	rd   waker
	wr   deadline.Alarm // belongs to whoever writes

	idleSince time.Time
	sent      uint64 // bytes written in earlier calls
	ackBase   uint64 // what was acknowledged when the connection was new

	x      *Call
	up     *upload // nil = the body is written by the call's goroutine
	broken atomic.Pointer[Error]
	spent  bool      // not to be used again
	until  time.Time // of its age; zero = no bound
	end    struct {  // of the call's context
		of     context.Context
		minded bool        // it ends the call
		lazy   bool        // only after a moment
		by     time.Time   // which is over then
		stop   func() bool // minding it
		cancel func()      // what it calls
	}
	reading struct { // what Read reads, and what came of it
		body     bool       // the response's body, not its header
		headLeft int64      // bytes that a header may still have
		tooLarge bool       // it had more
		patience time.Time  // when a read of the body gives up for now; zero = never
		local    bool       // it must not touch the network
		into     *pipe.Pipe // nil = memory
		most     int        // bytes of a read into a pipe
		err      error      // the network's
	}
}

// What has broken a connection from this side. A call reports others.
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
	if d := t.opts.Age; d > 0 {
		c.until = time.Now().Add(d - rand.N(d/10))
	}
	c.br = bufio.NewReaderSize(c, t.opts.ReadBuffer)
	c.rd.Set = nc.SetReadDeadline
	c.wr.Set = nc.SetWriteDeadline
	c.wr.Eager = !plain // a write that times out ends a TLS connection
	c.end.cancel = func() {
		c.noteAcked() // the socket cannot be asked once it is closed
		c.fail(errCanceled)
	}
	return c
}

// patience is how long a call waits before it minds the end of its context,
// which costs more than a read. Most are over by then.
const patience = 25 * time.Millisecond

// begin ties the connection to a call, at once or only when that has waited
// for a moment.
func (c *conn) begin(ctx context.Context, x *Call, atOnce bool) {
	c.x = x
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

// obey makes the end of a context that of the call, in place of an earlier
// one that it is derived from.
func (c *conn) obey(ctx context.Context) {
	if c.end.stop != nil {
		c.end.stop() // if that comes too late, the new one has ended too
	}
	c.end.of, c.end.stop, c.end.minded = ctx, nil, true
	c.rd.mindBy(time.Time{})
	if ctx.Done() != nil {
		c.end.stop = context.AfterFunc(ctx, c.end.cancel)
	}
}

// finish ends the call. With keep the connection is used again, if
// everything about it is as it should be.
func (c *conn) finish(keep bool) {
	keep = keep && !c.spent && c.up.finished() && c.reading.err == nil && c.br.Buffered() == 0
	stopped := c.end.stop == nil || c.end.stop() // else the context's end may be at it
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

// fail breaks the connection from this side. All waits end at once, and the
// call reports e. Safe for concurrent use.
func (c *conn) fail(e *Error) {
	if c.broken.CompareAndSwap(nil, e) {
		c.raw.Close()
	}
}

func (c *conn) close() { c.nc.Close() }

// quiet reports whether an idle connection has neither ended nor anything to
// read, which nobody asked for.
func (c *conn) quiet() bool {
	if !c.sock.quiet() {
		return false
	}
	if c.tls == nil {
		return true
	}
	// TLS may have read ahead. It looks there before it minds the deadline.
	c.tls.SetReadDeadline(time.Unix(1, 0))
	n, err := c.tls.Read(make([]byte, 1))
	c.rd.Off()
	return n == 0 && deadline.Exceeded(err)
}

// direct reports whether what is read of the connection is what comes from its
// socket.
func (c *conn) direct() bool { return c.sock != nil && c.nc == c.raw }

// Read reads from the network for the connection's bufio.Reader, within the
// bounds on time and on a header's size.
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

// wait reads until the bound. An upload that moves counts as life while a body
// is read.
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

// largestPiece is how much a pipe is asked to take at a time. The kernel's bound
// on what is in one is lower as a rule.
const largestPiece = 1 << 20

// write writes a and then b. A write that stands still for longer than the
// bound fails, unless a response moves meanwhile. Safe beside a Read.
func (c *conn) write(a, b []byte) error {
	idle := c.t.opts.Idle
	c.wr.Bound(deadline.After(time.Now(), idle))
	received := c.x.Received()
	for {
		if c.end.lazy && !c.end.minded && len(b) > 0 { // what is larger may have to wait
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

// closeWrite tells the upstream that no more comes.
func (c *conn) closeWrite() error {
	if half, ok := c.nc.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.nc.Close()
}

// boundHeader begins the wait for the response's header. Safe for concurrent
// use.
func (c *conn) boundHeader() {
	c.rd.Bound(deadline.After(time.Now(), c.t.opts.ResponseHeader), stageHeader)
}

// boundBody begins a wait for more of the response's body.
func (c *conn) boundBody() {
	until := deadline.After(time.Now(), c.t.opts.Idle)
	if !c.reading.patience.IsZero() && (until.IsZero() || c.reading.patience.Before(until)) {
		until = c.reading.patience
	}
	c.rd.Bound(until, stageBody)
}

// undelivered reports, of a call that ended with FIN and without an answer,
// whether the upstream provably took no byte of what was written: it had closed
// the connection in order, answers what comes since with RST, and TCP never had
// a byte of the request acknowledged. It waits a moment for that RST, without
// which the upstream may have closed only its own direction.
func (c *conn) undelivered() bool {
	return c.ackBase > 0 && c.x.Sent() && c.sock.refused(c.ackBase+c.sent)
}

// noteAcked notes how much of a request that fails was acknowledged. The first
// answer stays. Safe for concurrent use within a call.
func (c *conn) noteAcked() {
	if c.ackBase == 0 {
		return
	}
	if now := c.sock.acked(); now > 0 {
		n := int64(now) - int64(c.ackBase+c.sent)
		c.x.acked.CompareAndSwap(0, 1+max(0, min(n, c.x.Written())))
	}
}

// errNotQuiet is about an idle connection.
var errNotQuiet = errors.New("the idle connection has ended, or brought what nobody asked for")

// errWouldWait is for reads that must not wait.
var errWouldWait = errors.New("nothing more is buffered")

var errHeaderTooLarge = errors.New("response header too large")

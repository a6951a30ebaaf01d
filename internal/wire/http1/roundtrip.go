package http1

import (
	"context"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/textproto"
	"time"

	"github.com/goodgate/goodgate/internal/wire/deadline"
	"github.com/goodgate/goodgate/internal/wire/header"
)

// max1xx is the largest number of informational responses to a request. An upstream that
// works for long sends a 102 (Processing) every few seconds.
const max1xx = 100

// maxKeptHead is the largest header buffer that an idle connection keeps.
const maxKeptHead = 16 << 10

// call sends a request and reads the header of the response into x.
func (t *Transport) call(ctx context.Context, r *Request, x *Call) error {
	out, err := newOutgoing(r)
	if err != nil {
		out.closeBody()
		return &Error{PhaseWrite, Invalid, err}
	}
	for {
		c, err := t.conn(ctx, &out, x)
		if err != nil {
			out.closeBody()
			return err
		}
		if !x.Begins() {
			t.pool.put(c)
			out.closeBody()
			return Yielded()
		}
		failed := c.roundTrip(ctx, &out, x)
		if failed == nil {
			return nil
		}
		if !x.Reused || x.Sent() || failed.Kind > Reset { // the cause was not an idle connection that had ended
			out.closeBody()
			return failed
		}
	}
}

// conn returns an idle connection, else a new one.
func (t *Transport) conn(ctx context.Context, o *outgoing, x *Call) (*conn, error) {
	ctx = x.context(ctx)
	if ctx.Err() != nil {
		return nil, canceled(ctx, PhaseDial)
	}
	if x.Fresh {
		t.pool.empty()
	}
	if c, age := t.pool.get(x.Careful, o.small()); c != nil {
		x.On(true, age)
		return c, nil
	}
	x.On(false, 0)
	var nc net.Conn
	var err error
	x.Beside(ctx, func(ctx context.Context) { nc, err = t.opts.Dial(ctx) })
	if err != nil {
		return nil, err
	}
	return newConn(t, nc), nil
}

// roundTrip makes one call and leaves the response in x. After a failure the caller may
// still have to close the request's body.
func (c *conn) roundTrip(ctx context.Context, o *outgoing, x *Call) *Error {
	c.begin(ctx, x, x.Prompt || o.expect || o.streams() || !o.small() && c.wr.Eager)
	final, err := c.send(o)
	if err == nil && !final {
		err = c.receive()
	}
	if err != nil {
		if x.Reused && x.Received() == 0 && x.End() == FIN {
			c.t.pool.life.closed(x.IdleFor)
			x.Undelivered = c.undelivered()
		}
		c.noteAcked()
		c.finish(false)
		return err
	}
	return c.deliver(o)
}

// send writes the request, or starts to. With Expect the response may come before the
// body is sent; then final is true.
func (c *conn) send(o *outgoing) (final bool, failed *Error) {
	head, body := o.appendHead(c.head[:0]), o.inline
	if o.expect {
		body = nil
	}
	if len(body) <= joinedBody {
		head = append(head, body...)
		body = nil
	}
	err := c.writeFirst(o, head, body)
	if c.head = head; cap(head) > maxKeptHead {
		c.head = nil
	}
	if err == errStirred {
		return false, errStirred
	}
	if err != nil {
		return false, c.writeFailed(err)
	}
	if o.expect {
		final, err := c.awaitContinue()
		if err != nil {
			return false, err
		}
		if final { // the upstream does not want the body, so the request stays incomplete
			c.spent = true
			o.closeBody()
			return true, nil
		}
	}
	return false, c.sendBody(o)
}

// sendBody sends the part of the request that was not sent with its header.
func (c *conn) sendBody(o *outgoing) *Error {
	if o.streams() {
		c.rd.Bound(time.Time{}, stageSending)
		c.up = startUpload(c, o)
		return nil
	}
	if o.expect {
		if err := c.write(o.inline, nil); err != nil {
			return c.writeFailed(err)
		}
	}
	o.closeBody()
	if !c.rd.reached(stageHeader) { // otherwise the wait has begun
		c.boundHeader()
	}
	return nil
}

// writeFailed handles a failed write of this goroutine. If bytes were sent, the upstream
// may have answered and closed. Then it returns nil, and the caller reads the answer.
func (c *conn) writeFailed(err error) *Error {
	end := endOf(err)
	if c.broken.Load() != nil || end == TimedOut || !c.x.Sent() {
		c.reading.err = err
		return c.failure(PhaseWrite, err)
	}
	c.x.sawEnd(end)
	c.spent = true
	c.boundHeader()
	return nil
}

// receive reads response headers up to the final one.
func (c *conn) receive() *Error {
	for range max1xx {
		final, err := c.readHead()
		if err != nil || final {
			return err
		}
		if err := c.informed(); err != nil {
			return err
		}
	}
	return c.malformed("more than %d informational responses", max1xx)
}

// awaitContinue waits for 100 (Continue). final reports that the final response came
// instead; otherwise the caller sends the body.
func (c *conn) awaitContinue() (final bool, failed *Error) {
	until := time.Now().Add(c.t.opts.Continue)
	for range max1xx {
		c.rd.Bound(until, stageSending)
		c.reading.headLeft = c.t.opts.MaxHeader
		if _, err := c.br.Peek(1); err != nil {
			if deadline.Exceeded(err) && c.broken.Load() == nil {
				c.reading.err = nil
				return false, nil
			}
			return false, c.failure(PhaseHeader, err)
		}
		c.rd.Bound(deadline.After(time.Now(), c.t.opts.ResponseHeader), stageSending)
		final, err := c.readHead()
		if err != nil || final {
			return final, err
		}
		if err := c.informed(); err != nil {
			return false, err
		}
		if c.x.res.StatusCode == http.StatusContinue {
			return false, nil
		}
	}
	return false, c.malformed("more than %d informational responses", max1xx)
}

// informed passes on an informational response.
func (c *conn) informed() *Error {
	x := c.x
	c.spent = c.spent || x.res.Close
	if x.Got1xx == nil {
		return nil
	}
	if err := x.Got1xx(x.res.StatusCode, textproto.MIMEHeader(x.head.Header())); err != nil {
		return &Error{PhaseHeader, Canceled, err}
	}
	return nil
}

// readHead reads one response header. final reports that it is not informational.
// readHead refuses bytes without the beginning of a status line at once: they may have no
// end.
func (c *conn) readHead() (final bool, failed *Error) {
	c.reading.headLeft = c.t.opts.MaxHeader
	for n := 1; n <= len(statusLine); n++ {
		have, err := c.br.Peek(n)
		if err != nil {
			return false, c.failure(PhaseHeader, err)
		}
		if have[n-1] != statusLine[n-1] {
			have, _ = c.br.Peek(min(c.br.Buffered(), 40))
			return false, c.malformed("%q instead of a status line", have)
		}
	}
	block, err := header.Read(c.br, math.MaxInt)
	if err != nil {
		return false, c.failure(PhaseHeader, err)
	}
	res := &c.x.res
	res.Head = c.x.emptyHead()
	if c.x.chunked, err = readBlock(block, res); err != nil {
		return false, c.malformed("%w", err)
	}
	return res.StatusCode >= 200 || res.StatusCode == http.StatusSwitchingProtocols, nil
}

// deliver prepares the final response for the caller.
func (c *conn) deliver(o *outgoing) *Error {
	res := &c.x.res
	c.t.pool.life.heard(res.Head)
	if res.StatusCode == http.StatusSwitchingProtocols {
		return c.switchProtocols(o)
	}
	left, odd := frame(o.Method, res, c.x.chunked)
	keep := !odd && !res.Close && !o.Close && !o.closes && res.ProtoMinor >= 1
	if left == 0 {
		res.Body = http.NoBody
		c.finish(keep)
		return nil
	}
	c.reading.body, c.reading.headLeft = true, math.MaxInt64
	c.rd.Bound(time.Time{}, stageBody)
	res.Body = newBody(c, left, keep)
	return nil
}

func (c *conn) switchProtocols(o *outgoing) *Error {
	res := &c.x.res
	asked := o.upgrade && res.HasToken(header.Connection, "upgrade")
	var err *Error
	switch {
	case !asked:
		err = c.malformed("status %d that was not asked for", res.StatusCode)
	case !c.up.finished():
		err = c.malformed("status %d before the request's end", res.StatusCode)
	case c.end.stop != nil && !c.end.stop():
		err = canceled(c.end.of, PhaseHeader)
	default:
		res.ContentLength = 0 // otherwise Response.Write assumes a body up to the end of the connection, and announces that
		res.Body = newTunnel(c)
		return nil
	}
	c.finish(false)
	return err
}

// failure returns why a call failed: the error with which this side broke the connection,
// else the end of the connection, else the parser's error.
func (c *conn) failure(p Phase, err error) *Error {
	switch broken := c.broken.Load(); {
	case broken == errCanceled:
		return canceled(c.end.of, p)
	case broken != nil:
		return broken
	case c.reading.tooLarge:
		return &Error{p, HeaderTooLarge, fmt.Errorf("more than %d bytes (MaxHeader)", c.t.opts.MaxHeader)}
	case c.reading.err != nil:
		err = c.reading.err
	case p != PhaseWrite:
		return &Error{p, Malformed, err}
	}
	c.x.sawEnd(endOf(err))
	end := c.x.End()
	if end == TimedOut {
		err = c.tooLong(p, err)
	}
	return &Error{p, end.kind(), err}
}

// tooLong names the limit that was reached.
func (c *conn) tooLong(p Phase, err error) error {
	if p == PhaseHeader {
		return fmt.Errorf("%w: not complete within %v of the request (timeouts.response_header)", err, c.t.opts.ResponseHeader)
	}
	return fmt.Errorf("%w: nothing moved for %v (timeouts.idle)", err, c.t.opts.Idle)
}

func (c *conn) malformed(format string, args ...any) *Error {
	return &Error{PhaseHeader, Malformed, fmt.Errorf(format, args...)}
}

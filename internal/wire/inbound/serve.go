package inbound

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/goodgate/goodgate/internal/wire/deadline"
	"github.com/goodgate/goodgate/internal/wire/socket"
)

// serve serves one request, and returns ready when another may follow.
func (c *conn) serve() outcome {
	c.served = true
	if !c.hasHead() {
		c.rd.Bound(deadline.After(time.Now(), c.s.opts.Header))
		if c.awaitHead() != nil {
			return over
		}
	}
	if c.first && c.s.h2c && c.tls == nil && isPreface(c.br) {
		c.gone = c.s.hand(c.rest())
		return over
	}
	c.first = false
	c.asked++
	head, err := readHead(c.br, c.s.opts.MaxHeader)
	w := c.newResponse()
	if err == nil {
		err = parse(head, &w.request)
	}
	if err != nil {
		if e, ok := errors.AsType[*requestError](err); ok {
			c.refuse(w, e)
		}
		return over
	}
	c.rd.Bound(time.Time{})
	w.openBody()
	if w.body == nil {
		c.watch.atEnd()
		if c.buffered() == 0 {
			c.putReader()
		}
	}
	return c.answer(w)
}

// answer calls the handler for a request.
func (c *conn) answer(w *response) outcome {
	w.keep10 = w.request.ProtoMinor == 0 && !w.request.Close
	return c.goOn(w, c.call(w, func() { c.s.opts.Serve(w, &w.request) }))
}

// goOn calls the handler's continuation if it waits for the request's body, and ends
// the response once the request has been served.
func (c *conn) goOn(w *response, served bool) outcome {
	for served && w.then != nil {
		o, err := c.awaitBody()
		if o == rest {
			c.parked = w
			return rest
		}
		then := w.then
		w.then = nil
		served = c.call(w, func() { then(err) })
	}
	if !served || w.hijacked {
		return over
	}
	keep, body := w.finish(), w.body
	c.watch.stop()
	c.wr.Bound(time.Time{})
	body.stop() // else a client that does not send the rest would keep the connection
	w.retire()
	if keep && body.settle() {
		if c.buffered() == 0 {
			c.put()
		}
		return ready
	}
	if !body.whole() || c.buffered() > 0 {
		c.linger()
	}
	return over
}

// call runs a handler, and returns false if it panics.
func (c *conn) call(w *response, handle func()) (ok bool) {
	defer func() {
		if ok {
			return
		}
		if p := recover(); p != nil && p != http.ErrAbortHandler {
			c.s.note("panic while a request was served", "client", c.remote, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
		c.watch.stop()
		w.ctx.end()
		if !w.hijacked {
			c.raw.Close()
			w.body.stop()
		}
	}()
	handle()
	return true
}

// refuse answers a malformed request, and lets the client read the answer.
func (c *conn) refuse(w *response, e *requestError) {
	r := &w.request
	r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/1.1", 1, 1
	r.ContentLength, r.Body, r.Close = 0, http.NoBody, true
	refuse := func() { c.s.opts.Refuse(w, r, e.status, e.err) }
	if c.s.opts.Refuse == nil {
		refuse = func() { http.Error(w, http.StatusText(e.status), e.status) }
	}
	if c.call(w, refuse) && !w.hijacked {
		w.finish()
		c.watch.stop()
		w.ctx.end()
		c.linger()
	}
}

// linger lets a client that still sends read its answer (RFC 9112, section 9.6).
func (c *conn) linger() {
	closeWrite(c.nc)
	c.rd.Bound(time.Now().Add(lingerTime))
	io.CopyN(io.Discard, readerFunc(c.Read), socket.LingerBytes)
}

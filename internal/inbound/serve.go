package inbound

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime/debug"
	"time"
)

// serve serves one request, and returns ready when there may be another.
func (c *conn) serve() outcome {
	c.served = true
	c.rd.bound(after(c.s.opts.Header))
	if c.awaitHead() != nil {
		return over
	}
	if c.first && c.s.h2c && c.tls == nil && isPreface(c.br) {
		c.gone = c.s.hand(c.rest())
		return over
	}
	c.first = false
	head, err := readHead(c.br, c.s.opts.MaxHeader)
	w := c.newResponse()
	if err == nil {
		err = parse(head, w.r)
	}
	if err != nil {
		if e, ok := errors.AsType[*requestError](err); ok {
			c.refuse(w, e)
		}
		return over
	}
	c.rd.bound(time.Time{})
	w.body.open(w)
	if w.body.err != nil {
		c.watch.atEnd()
		if c.buffered() == 0 {
			c.putReader()
		}
	}
	return c.answer(w)
}

// newResponse prepares for a request.
func (c *conn) newResponse() *response {
	w := &response{c: c, header: c.takeHeader()}
	w.ctx.base, w.ctx.local, w.ctx.watch = c.s.base, c.nc.LocalAddr(), &c.watch
	c.watch.reset(w.ctx.gone)
	w.r = (&http.Request{RemoteAddr: c.remote, TLS: c.tls}).WithContext(&w.ctx)
	return w
}

// maxKept is how many fields the map may have had that the next response uses.
const maxKept = 64

func (c *conn) takeHeader() http.Header {
	if c.header == nil || len(c.header) > maxKept {
		c.header = make(http.Header)
	}
	clear(c.header)
	return c.header
}

// answer has a request served.
func (c *conn) answer(w *response) outcome {
	w.keep10 = w.r.ProtoMinor == 0 && !w.r.Close
	return c.goOn(w, c.call(w, func() { c.s.opts.Handler.ServeHTTP(w, w.r) }))
}

// goOn calls a handler again that waits for the request's body, and ends the
// response when it has served the request.
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
	keep := w.finish()
	c.watch.stop()
	w.ctx.end()
	c.wr.bound(time.Time{})
	if keep && w.body.settle() {
		if c.buffered() == 0 {
			c.put()
		}
		return ready
	}
	if !w.body.whole() || c.buffered() > 0 {
		c.linger()
	}
	return over
}

// call runs a handler. It returns false if that has panicked.
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
			w.body.settle()
		}
	}()
	handle()
	return true
}

// refuse answers what is no request, and waits for the client to read that.
func (c *conn) refuse(w *response, e *requestError) {
	r := w.r
	if r.URL == nil {
		r.URL = &url.URL{}
	}
	if r.Header == nil {
		r.Header = http.Header{}
	}
	r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/1.1", 1, 1
	r.ContentLength, r.TransferEncoding = 0, nil
	r.Body, w.body.c, w.body.err = http.NoBody, c, io.EOF
	r.Close = true
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
	c.rd.bound(time.Now().Add(lingerTime))
	io.CopyN(io.Discard, readerFunc(c.Read), lingerBytes)
}

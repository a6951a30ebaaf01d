package inbound

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"

	"github.com/goodgate/goodgate/internal/pipe"
)

const (
	bufferSize = 4 << 10

	// settle is after what time without a request a connection gives up the stack
	// that serving one took.
	settle = 2 * time.Second

	// firstRequest is how long a new connection is waited for when the server is
	// about to end: its request may be on the way.
	firstRequest = time.Second

	// lingerTime and lingerBytes bound what is taken from a client to which a last
	// answer was sent, so that it is not reset before it has read that.
	lingerTime  = 500 * time.Millisecond
	lingerBytes = 256 << 10
)

// conn is a client's connection. It belongs to its goroutine; what the watch, a
// body that is read elsewhere and Shutdown may touch is said to be safe.
type conn struct {
	s      *Server
	nc     net.Conn // to read from and to write to
	raw    net.Conn // that was accepted
	remote string
	tls    *tls.ConnectionState
	rd, wr alarm
	sock   *socket       // nil = waits with a buffer
	br     *bufio.Reader // nil while nothing has come
	out    []byte        // what is to be sent
	header http.Header   // of the response

	next  [1]byte // what the watch has read,
	ahead bool    // if it has
	lost  error   // why nothing more can be read, if the watch has found that out

	watch  watch
	phase  atomic.Int32 // what it waits for
	first  bool         // no request has come yet
	served bool         // a request on this goroutine
	rested bool         // the wait goes on from another goroutine
	gone   bool         // another has the connection now
}

// Phases of a connection.
const (
	busy      = iota
	idle      // it waits for a request
	handshake // of TLS
)

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{s: s, raw: nc, first: true}
	if a := nc.RemoteAddr(); a != nil {
		c.remote = a.String()
	}
	c.watch.c = c
	if d, ok := nc.(Direct); ok {
		nc = d.Direct()
	}
	c.use(nc)
	return c
}

// use makes nc what is read from and written to.
func (c *conn) use(nc net.Conn) {
	c.nc = nc
	c.rd.set, c.wr.set = nc.SetReadDeadline, nc.SetWriteDeadline
	_, c.wr.eager = nc.(*tls.Conn) // a write that times out ends a TLS connection
	c.sock = newSocket(nc, c.fill)
}

// run serves the connection to its end. It goes on with a new goroutine where it
// would otherwise wait on a stack that it no longer needs.
func (c *conn) run() {
	if c.first && c.s.opts.TLS != nil && !c.secure() {
		c.end()
		return
	}
	for {
		switch c.await() {
		case rest:
			go c.run()
			return
		case over:
			c.end()
			return
		}
		if !c.serve() {
			c.end()
			return
		}
	}
}

// end gives the connection up.
func (c *conn) end() {
	c.put()
	if !c.gone {
		c.nc.Close()
		c.raw.Close()
		c.s.state(c.raw, http.StateClosed)
	}
	c.s.forget(c)
}

// secure speaks TLS, and reports whether HTTP/1.1 is to be spoken now.
func (c *conn) secure() bool {
	c.raw.SetDeadline(after(c.s.opts.Header))
	c.phase.Store(handshake)
	if c.s.closing.Load() {
		c.hurry()
	}
	t := tls.Server(c.raw, c.s.opts.TLS)
	err := t.HandshakeContext(c.s.base)
	c.phase.Store(busy)
	if err != nil {
		c.refuseTLS(err)
		return false
	}
	c.raw.SetDeadline(time.Time{})
	c.use(t)
	state := t.ConnectionState()
	c.tls = &state
	if state.NegotiatedProtocol == "h2" {
		c.gone = c.s.hand(t)
		return false
	}
	return true
}

// hurry makes a connection that waits see that the server is about to end. Safe
// for concurrent use.
func (c *conn) hurry() {
	switch c.phase.Load() {
	case idle:
		c.rd.interrupt()
	case handshake:
		c.raw.SetDeadline(time.Now().Add(firstRequest))
	}
}

// refuseTLS answers a client that does not speak TLS in the clear.
func (c *conn) refuseTLS(err error) {
	if r, ok := errors.AsType[tls.RecordHeaderError](err); ok && r.Conn != nil && plainHTTP(r.RecordHeader) {
		io.WriteString(r.Conn, "HTTP/1.0 400 Bad Request\r\nConnection: close\r\n\r\nThis is an HTTPS port.\n")
		err = errors.New("the client speaks HTTP in the clear")
	}
	c.s.note("TLS handshake failed", "client", c.remote, "error", err.Error())
}

// plainHTTP reports whether what should be a TLS record begins a request.
func plainHTTP(b [5]byte) bool {
	switch string(b[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "OPTIO":
		return true
	}
	return false
}

type outcome int

const (
	ready outcome = iota // a request has begun to come
	rest                 // the goroutine is to be replaced
	over                 // the connection is to be closed
)

// await waits for a request.
func (c *conn) await() outcome {
	if c.br != nil && c.br.Buffered() > 0 {
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
		case !isTimeout(err) || !c.rd.again():
			return over
		case c.served:
			c.served, c.rested = false, true
			c.forget()
			return rest
		}
	}
}

// forget drops what is left of the last request.
func (c *conn) forget() {
	c.header = nil
	c.watch.reset(nil)
}

// boundWait bounds the wait for a request.
func (c *conn) boundWait() {
	wait := c.s.opts.KeepAlive
	if c.first {
		wait = c.s.opts.Header
	}
	c.rd.bound(after(wait))
	c.rd.wake(time.Now().Add(settle))
}

// lastChance lets a new connection bring its request though the server is about
// to end.
func (c *conn) lastChance() bool {
	if !c.first {
		return false
	}
	c.first = false
	c.rd.bound(time.Now().Add(firstRequest))
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
	c.br = c.s.readers.Get().(*bufio.Reader)
	c.br.Reset(c)
	_, err := c.br.Peek(1)
	if err != nil {
		c.put()
	}
	return err
}

// put gives the buffers back.
func (c *conn) put() {
	if c.br != nil {
		c.br.Reset(nil)
		c.s.readers.Put(c.br)
		c.br = nil
	}
	if cap(c.out) == bufferSize {
		c.s.writers.Put((*[bufferSize]byte)(c.out[:bufferSize]))
	}
	c.out = nil
}

// Read reads for the buffer, within the bound.
func (c *conn) Read(p []byte) (int, error) {
	switch {
	case c.ahead:
		c.ahead = false
		return copy(p, c.next[:]), nil
	case c.lost != nil:
		return 0, c.lost
	case c.sock != nil && c.sock.looking:
		return c.sock.read(p)
	}
	for {
		n, err := c.read(p)
		if n > 0 || !isTimeout(err) || !c.rd.again() {
			return n, err
		}
	}
}

func (c *conn) read(p []byte) (int, error) {
	if c.lost != nil {
		return 0, c.lost
	}
	return c.nc.Read(p)
}

// write sends a part of a response, or keeps it to be sent with what follows.
func (c *conn) write(p []byte) error {
	if len(c.out)+len(p) <= bufferSize {
		c.out = append(c.out, p...)
		return nil
	}
	return c.flush(p)
}

// flush sends what was kept, and p.
func (c *conn) flush(p []byte) error {
	out := c.out
	if cap(out) > bufferSize {
		c.out = nil
	} else {
		c.out = out[:0]
	}
	for len(out)+len(p) > 0 {
		n, err := c.writeOnce(out, p)
		fromOut := min(n, len(out))
		out, p = out[fromOut:], p[n-fromOut:]
		if err != nil && (!isTimeout(err) || c.wr.eager || !c.wr.again()) {
			return err
		}
	}
	return nil
}

// drain is flush of what is in a pipe.
func (c *conn) drain(p *pipe.Pipe) error {
	if err := c.flush(nil); err != nil {
		return err
	}
	for p.Len() > 0 {
		if _, err := p.Drain(c.sock.raw); err != nil && (!isTimeout(err) || !c.wr.again()) {
			return err
		}
	}
	return nil
}

func (c *conn) writeOnce(a, b []byte) (int, error) {
	if len(a) > 0 && len(b) > 0 {
		both := net.Buffers{a, b}
		n, err := both.WriteTo(c.nc)
		return int(n), err
	}
	if len(a) == 0 {
		a = b
	}
	return c.nc.Write(a)
}

// serve serves one request, and reports whether there may be another.
func (c *conn) serve() bool {
	c.served = true
	c.rd.bound(after(c.s.opts.Header))
	c.get()
	if c.first && c.s.h2c && c.tls == nil && isPreface(c.br) {
		c.gone = c.s.hand(c.rest())
		return false
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
		return false
	}
	c.rd.bound(time.Time{})
	w.body.open(w)
	if w.body.err != nil {
		c.watch.atEnd()
	}
	return c.answer(w)
}

// get takes a buffer for what is to be sent.
func (c *conn) get() {
	if c.out == nil {
		c.out = c.s.writers.Get().(*[bufferSize]byte)[:0]
	}
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

// answer has a request served, and reports whether there may be another.
func (c *conn) answer(w *response) bool {
	w.keep10 = w.r.ProtoMinor == 0 && !w.r.Close
	served := c.call(w, func() { c.s.opts.Handler.ServeHTTP(w, w.r) })
	if !served || w.hijacked {
		return false
	}
	keep := w.finish()
	c.watch.stop()
	w.ctx.end()
	c.wr.bound(time.Time{})
	if keep && w.body.settle() {
		if c.br.Buffered() == 0 {
			c.put()
		}
		return true
	}
	if !w.body.whole() || c.br.Buffered() > 0 {
		c.linger()
	}
	return false
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

// release gives the connection to a handler.
func (c *conn) release() net.Conn {
	c.watch.stop()
	c.flush(nil)
	c.rd.off()
	c.wr.off()
	c.gone = true
	c.s.state(c.raw, http.StateHijacked)
	return c.rest()
}

// rest returns the connection with what has been read of it and not been used.
func (c *conn) rest() net.Conn {
	nc := c.nc
	if c.tls == nil {
		nc = c.raw
	}
	var early []byte
	if c.br != nil {
		early, _ = c.br.Peek(c.br.Buffered())
	}
	if c.ahead {
		early = append(slices.Clone(early), c.next[0])
	}
	if len(early) == 0 {
		return nc
	}
	return &earlyConn{nc, slices.Clone(early)}
}

// earlyConn is a connection of which something has been read already.
type earlyConn struct {
	net.Conn
	early []byte
}

func (c *earlyConn) Read(p []byte) (int, error) {
	if len(c.early) > 0 {
		n := copy(p, c.early)
		c.early = c.early[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

// CloseWrite says that nothing more comes from this side.
func (c *earlyConn) CloseWrite() error { return closeWrite(c.Conn) }

func closeWrite(c net.Conn) error {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// linger lets a client that still sends read its answer (RFC 9112, section 9.6).
func (c *conn) linger() {
	closeWrite(c.nc)
	c.rd.bound(time.Now().Add(lingerTime))
	io.CopyN(io.Discard, readerFunc(c.Read), lingerBytes)
}

// after returns the moment in d from now, none if d is 0.
func after(d time.Duration) (t time.Time) {
	if d > 0 {
		t = time.Now().Add(d)
	}
	return t
}

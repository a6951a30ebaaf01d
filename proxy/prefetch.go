package proxy

import (
	"bytes"
	"cmp"
	"io"
	"net/http"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/internal/wire/header"
)

// The memory for a body grows with the data, not with the announced length: growFrom
// bytes at first, then growBy times the received bytes, or the bytes that can be read at
// once.
const (
	growFrom = 128
	growBy   = 4
)

// sizedBody is a client's body that knows how many bytes have arrived.
type sizedBody interface {
	// Coming returns the number of bytes that can be read without waiting, 0 if none or
	// unknown.
	Coming() int
}

// chunkedBody is a client's body that can check its buffered part before it is read.
type chunkedBody interface {
	Malformed() error
}

// bodyAwaiter is a client's connection that can wait for a request's body after the
// handler has returned. So a client that does not send its announced body holds little
// memory.
type bodyAwaiter interface {
	// AwaitBody calls then once a read would not wait, or with the error that has ended
	// the wait. The handler has to return. If AwaitBody returns false, the handler itself
	// has to wait.
	AwaitBody(then func(error)) bool
}

// prefetch reads a small body of known length before the first attempt. So a slow client
// does not occupy an upstream, and the request goes out in one write. It does not read
// the body of a client that expects a 100 Continue. For a larger body it waits for the
// first byte only, and only if the wait needs no goroutine. Then the exchange is parked,
// and wake continues it. awaited means that a read will not wait.
func (x *exchange) prefetch(awaited bool) *Error {
	if x.body == nil {
		return nil
	}
	if err := x.body.malformed(); err != nil {
		return x.unsent(err)
	}
	switch {
	case x.request.Has(header.Expect):
		return nil
	case x.mayBeEmpty():
		return x.look()
	case x.request.ContentLength < 0:
		return nil
	case !x.body.sized:
		if !awaited && x.body.coming() == 0 {
			x.park()
		}
		return nil
	}
	err := x.body.fill(x.request.ContentLength, awaited)
	if err == io.EOF || x.parked {
		return nil
	}
	return x.unsent(err)
}

// mayBeEmpty reports whether a body of unknown length may well be empty: some HTTP/2
// clients end a request without a body with an empty DATA frame.
func (x *exchange) mayBeEmpty() bool {
	r := x.request
	return r.ProtoMajor == 2 && r.ContentLength < 0 && len(r.Trailer) == 0 && (safe(r.Method) || r.Method == http.MethodDelete)
}

// look waits for the first byte of a body, before the first view is made. It drops a body
// that ends without one.
func (x *exchange) look() *Error {
	b := x.body
	first := make([]byte, 1)
	n, err := b.readClient(first)
	switch {
	case n > 0:
		b.client = begunBody{io.MultiReader(bytes.NewReader(first), b.client), b.client}
		return nil
	case err == io.EOF:
		x.body, x.request.Body, x.request.ContentLength = nil, http.NoBody, 0
		return nil
	}
	b.remember(nil, err)
	return x.unsent(err)
}

// malformed returns the error in the part of the body that has arrived, or nil. If it
// were sent on, the error would cost an upstream connection.
func (b *replayBody) malformed() error {
	c, ok := b.client.(chunkedBody)
	if !ok {
		return nil
	}
	err := c.Malformed()
	if err != nil {
		err = &clientError{err}
		b.remember(nil, err)
	}
	return err
}

// begunBody is a client's body whose first byte look has read.
type begunBody struct {
	io.Reader
	io.Closer
}

// unsent returns the failure of a client that has not sent its body.
func (x *exchange) unsent(err error) *Error {
	return &Error{Reason: cmp.Or(x.body.failure(x.ctx), reason.ClientGone), Err: err}
}

// park makes the connection wait for the client's body, and reports whether it does.
func (x *exchange) park() bool {
	w, ok := x.writer.ResponseWriter.(bodyAwaiter)
	if !ok || !x.body.bound(true) {
		return false
	}
	x.body.asked = time.Now()
	x.parked = w.AwaitBody(x.wake)
	return x.parked
}

// wake continues a parked exchange.
func (x *exchange) wake(failed error) {
	x.parked = false
	defer x.leaveOff()
	x.body.waited += time.Since(x.body.asked)
	if failed != nil {
		failed = &clientError{failed}
		x.body.remember(nil, failed)
		x.proceed(x.unsent(failed))
	} else {
		x.proceed(x.prefetch(true))
	}
	x.linger()
}

// leaveOff ends the exchange unless it is parked.
func (x *exchange) leaveOff() {
	if !x.parked {
		x.end()
		x.reuse()
	}
}

// fill reads a whole body of n bytes before the first view is made. It returns io.EOF on
// success, and nil when the exchange is parked.
func (b *replayBody) fill(n int64, awaited bool) error {
	var end [1]byte // to reach the end after the announced length
	coming := 0
	for {
		p := end[:]
		if int64(len(b.buf)) < n {
			if coming <= 0 {
				coming = b.coming()
			}
			if coming == 0 && !awaited && b.x.park() {
				return nil
			}
			awaited = false
			b.grow(n, coming)
			p = b.buf[len(b.buf):cap(b.buf)]
		}
		read, err := b.readClient(p)
		coming -= read
		b.remember(p[:read], err)
		if err != nil {
			return err
		}
	}
}

// coming returns the number of bytes that can be read at once, 0 if unknown.
func (b *replayBody) coming() int {
	if s, ok := b.client.(sizedBody); ok {
		return s.Coming()
	}
	return 0
}

// grow makes room for the next part of an incomplete body of n bytes.
func (b *replayBody) grow(n int64, coming int) {
	have := int64(len(b.buf))
	if have < int64(cap(b.buf)) {
		return
	}
	larger := make([]byte, have, min(n, max(growFrom, growBy*have, have+int64(coming))))
	copy(larger, b.buf)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.buf = larger
}

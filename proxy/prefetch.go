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

// A body gets memory as it comes, not as it is announced: growFrom bytes, growBy
// times what has come, or what can be read at once.
const (
	growFrom = 128
	growBy   = 4
)

// sizedBody is a client's body that knows how much of it has come.
type sizedBody interface {
	// Coming returns how many bytes can be read without waiting; 0 = none, or that is
	// not known.
	Coming() int
}

// chunkedBody is a client's body that knows before it is read what is wrong with the
// part of it that has come.
type chunkedBody interface {
	Malformed() error
}

// bodyAwaiter is a client's connection that can wait for a request's body while the
// handler has returned, so that a client which does not send what it has announced
// holds little memory.
type bodyAwaiter interface {
	// AwaitBody has then called once a read would not wait, or with what has ended the
	// wait. The handler has to return. false = it has to wait itself.
	AwaitBody(then func(error)) bool
}

// prefetch reads a body that says it is small before an upstream is asked, so
// that a slow client occupies none, and that it goes out in one write. A client
// that wants the upstream's word first gets that instead. Of a larger body only the
// first byte is waited for, and only where that takes no goroutine. The exchange may
// be parked then: it goes on in wake. awaited tells that a read does not wait.
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

// mayBeEmpty reports whether a body that has not said its length may well be none:
// clients of HTTP/2 end a request without one by an empty DATA frame, too.
func (x *exchange) mayBeEmpty() bool {
	r := x.request
	return r.ProtoMajor == 2 && r.ContentLength < 0 && len(r.Trailer) == 0 && (safe(r.Method) || r.Method == http.MethodDelete)
}

// look waits for the first byte of a body, before there is a view of it. A body that
// ends without one is none.
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

// malformed returns what is wrong with the body as far as it has come. To find that out
// by sending it on would cost an upstream a connection.
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

// begunBody is a client's body of which the beginning was read.
type begunBody struct {
	io.Reader
	io.Closer
}

// unsent is the failure of a client that has not sent its body.
func (x *exchange) unsent(err error) *Error {
	return &Error{Reason: cmp.Or(x.body.failure(x.ctx), reason.ClientGone), Err: err}
}

// park leaves waiting for the client's body to its connection, if that can.
func (x *exchange) park() bool {
	w, ok := x.writer.ResponseWriter.(bodyAwaiter)
	if !ok || !x.body.bound(true) {
		return false
	}
	x.body.asked = time.Now()
	x.parked = w.AwaitBody(x.wake)
	return x.parked
}

// wake goes on with an exchange that was parked.
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

// leaveOff ends the exchange, unless it is parked.
func (x *exchange) leaveOff() {
	if !x.parked {
		x.end()
		x.reuse()
	}
}

// fill reads the whole of a body of n bytes before there is a view of it. It
// returns io.EOF when all went well, and nil when the exchange is parked.
func (b *replayBody) fill(n int64, awaited bool) error {
	var end [1]byte // to see the end once the announced length has come
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

// coming returns how much can be read at once, 0 where that is not known.
func (b *replayBody) coming() int {
	if s, ok := b.client.(sizedBody); ok {
		return s.Coming()
	}
	return 0
}

// grow makes room for the next part of a body of n bytes, of which not all has
// come.
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

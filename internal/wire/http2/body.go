package http2

import (
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/goodgate/goodgate/internal/wire/http1"
)

// body is a response's body.
type body struct {
	s      *stream
	src    io.ReadCloser
	closed atomic.Bool

	// The fields below belong to the reader.
	pulled  chan pull   // result of the read in progress
	pulling bool        // a read is in progress
	buf     *pullBuffer // buffer of that read; nil = returned
	left    []byte      // unread bytes in buf
	err     error       // the error after left
}

// pullBuffer is the buffer of a read in the background, while the caller waits for a
// limited time.
type pullBuffer [16 << 10]byte

// pull is the result of a read.
type pull struct {
	n   int
	err error
}

func newBody(s *stream, src io.ReadCloser) *body {
	s.watch.header.Store(false)
	return &body{s: s, src: src}
}

// Read reads the available bytes; it waits for at least one.
func (b *body) Read(p []byte) (int, error) { return b.ReadUntil(p, time.Time{}) }

// ReadUntil implements [http1.Body]. A read of net/http cannot be interrupted. So a
// goroutine makes each read with a time limit, and ends with the stream.
func (b *body) ReadUntil(p []byte, until time.Time) (int, error) {
	if b.closed.Load() {
		return 0, http.ErrBodyReadAfterClose
	}
	if len(b.left) == 0 && b.err == nil {
		if until.IsZero() && !b.pulling {
			b.s.watch.start()
			n, err := b.src.Read(p)
			b.s.watch.stop()
			if err != nil {
				err = b.end(err)
			}
			return n, err
		}
		if !b.pull(until) {
			return 0, http1.ErrNotYet
		}
	}
	n := copy(p, b.left)
	b.left = b.left[n:]
	if len(b.left) > 0 {
		return n, nil
	}
	b.giveBack()
	return n, b.err
}

// Here implements [http1.Body]. net/http does not report what it has buffered.
func (b *body) Here() bool { return len(b.left) > 0 || b.err != nil }

// pull waits until a read has ended. It returns false if until comes first.
func (b *body) pull(until time.Time) bool {
	if !b.pulling {
		b.startPull()
	}
	var expired <-chan time.Time
	if until.IsZero() {
		b.s.watch.start()
		defer b.s.watch.stop()
	} else {
		timer := time.NewTimer(time.Until(until))
		defer timer.Stop()
		expired = timer.C
	}
	select {
	case r := <-b.pulled:
		b.pulling = false
		b.left = b.buf[:r.n]
		if r.err != nil {
			b.err = b.end(r.err)
		}
		return true
	case <-expired:
		return false
	}
}

func (b *body) startPull() {
	if b.pulled == nil {
		b.pulled = make(chan pull, 1)
	}
	if b.buf == nil {
		b.buf = b.s.c.t.buffers.Get().(*pullBuffer)
	}
	b.pulling = true
	buf := b.buf
	go func() {
		n, err := b.src.Read(buf[:])
		b.pulled <- pull{n, err}
	}()
}

func (b *body) giveBack() {
	if b.buf != nil && !b.pulling {
		b.s.c.t.buffers.Put(b.buf)
		b.buf = nil
	}
}

// end ends the call and returns the error for the caller.
func (b *body) end(err error) error {
	if err != io.EOF {
		err = b.s.failure(http1.PhaseBody, err)
	}
	b.err = err
	b.s.end()
	return err
}

// Close aborts the response if it was not read completely. It does not wait for a request
// body that the client is still sending.
func (b *body) Close() error {
	if b.closed.Swap(true) {
		return nil
	}
	b.s.end()
	b.s.watch.stop()
	return b.src.Close()
}

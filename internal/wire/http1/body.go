package http1

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/goodgate/goodgate/internal/wire/chunked"
	"github.com/goodgate/goodgate/internal/wire/header"
	"github.com/goodgate/goodgate/internal/wire/message"
	"github.com/goodgate/goodgate/internal/wire/pipe"
)

// Values of body.left for bodies without a Content-Length.
const (
	untilClose = -1
	inChunks   = -2
)

// frame returns the length of a response's body (RFC 9112, section 6.3) by the request's
// method and the header, and corrects the fields about framing. odd reports framing that
// two readers could interpret differently.
func frame(method string, res *message.Response, chunked bool) (left int64, odd bool) {
	sized := res.Head.Has(header.ContentLength)
	switch {
	case method == http.MethodHead, res.StatusCode == http.StatusNotModified:
		odd = chunked && sized
	case res.StatusCode == http.StatusNoContent:
		odd = chunked || res.ContentLength > 0
	case chunked:
		res.Head.Delete(header.ContentLength)
		res.ContentLength = -1
		return inChunks, sized
	case sized:
		return res.ContentLength, false
	default:
		res.Close = true
		return untilClose, false
	}
	if method != http.MethodHead {
		res.ContentLength = 0
	}
	return 0, odd
}

// States of a body.
const (
	bodyOpen uint32 = iota
	bodyReading
	bodyEnded // by its end or a failure
	bodyClosed
)

// Body is the body of a response that has one and has not switched protocols.
type Body interface {
	io.ReadCloser

	// ReadUntil is Read that waits for a byte only until t. Then it returns [ErrNotYet],
	// and the body can be read further. It always returns buffered bytes, but reads from
	// the network only before t. It waits for the rest of a trailer that has begun.
	ReadUntil(p []byte, t time.Time) (int, error)

	// Here reports whether a Read would return without waiting for the upstream. False
	// may mean that this is unknown.
	Here() bool
}

// PipeBody is a [Body] that can be moved without copying it.
type PipeBody interface {
	Body

	// Ready returns how many bytes of the body can be moved now; 0 = read the next bytes.
	Ready() int64
	// Fill is Read into an empty pipe. The body must be Ready.
	Fill(*pipe.Pipe) (int, error)
}

// ErrNotYet means that no more of a body has arrived yet.
var ErrNotYet = errors.New("no more of the body has come yet")

// body is a response's body. It gives the connection back with its last byte.
type body struct {
	c     *conn
	src   io.Reader // source of decoded bytes; its end is the body's if left < 0
	left  int64     // bytes to come, or one of the values above
	keep  bool      // the connection may be used again
	state atomic.Uint32
	err   error // error of Read once ended
	last  bool  // the chunks have ended; the trailer comes next

	chunks  chunked.Reader
	trailer *http.Header // of the response
}

func newBody(c *conn, left int64, keep bool) *body {
	b := &c.x.body
	b.c, b.src, b.left, b.keep, b.trailer = c, c.br, left, keep, &c.x.res.Trailer
	if left == inChunks {
		b.chunks = *chunked.New(c.br)
		b.src = &b.chunks
	}
	return b
}

// Read waits for at least one byte. It returns io.EOF after the connection was given
// back, an [*Error] after a failure, and http.ErrBodyReadAfterClose after Close.
func (b *body) Read(p []byte) (int, error) { return b.ReadUntil(p, time.Time{}) }

// ReadUntil implements [Body].
func (b *body) ReadUntil(p []byte, t time.Time) (int, error) {
	return b.take(t, func() (int, error) { return b.read(p) })
}

// Here implements [Body].
func (b *body) Here() bool { return b.state.Load() != bodyOpen || b.c.br.Buffered() > 0 }

// Ready implements [PipeBody].
func (b *body) Ready() int64 {
	if b.state.Load() != bodyOpen || b.left < 0 || !b.c.direct() || b.c.br.Buffered() > 0 {
		return 0
	}
	return b.left
}

// Fill implements [PipeBody].
func (b *body) Fill(p *pipe.Pipe) (int, error) {
	return b.take(time.Time{}, func() (int, error) {
		n, err := b.c.fill(p, b.left)
		return b.count(n, err)
	})
}

// take calls read and updates the state of the body.
func (b *body) take(t time.Time, read func() (int, error)) (int, error) {
	if !b.state.CompareAndSwap(bodyOpen, bodyReading) {
		if b.state.Load() == bodyEnded {
			return 0, b.err
		}
		return 0, http.ErrBodyReadAfterClose
	}
	b.c.reading.patience = t
	n, err := read()
	b.c.reading.patience = time.Time{} // before another call may use the connection
	if err == nil || err == ErrNotYet {
		if !b.state.CompareAndSwap(bodyReading, bodyOpen) {
			b.c.finish(false) // Close was called meanwhile
			return 0, http.ErrBodyReadAfterClose
		}
		return n, err
	}
	if !b.state.CompareAndSwap(bodyReading, bodyEnded) {
		b.c.finish(false)
		return 0, http.ErrBodyReadAfterClose
	}
	b.err = b.ended(err)
	return n, b.err
}

// read reads and decodes. It returns io.EOF at the end, and another error if the end is
// missing.
func (b *body) read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if b.left >= 0 {
		p = p[:min(int64(len(p)), b.left)]
	}
	if b.last {
		return 0, b.readTrailer()
	}
	n, err := b.src.Read(p)
	switch {
	case b.left == untilClose:
		return n, err
	case b.left == inChunks && err == io.EOF:
		b.last = true
		return n, b.readTrailer()
	case b.left == inChunks:
		return n, err
	}
	return b.count(n, err)
}

// count counts bytes of a body of known length.
func (b *body) count(n int, err error) (int, error) {
	b.left -= int64(n)
	if b.left == 0 {
		return n, io.EOF
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// ended ends the call and returns the error for the caller.
func (b *body) ended(err error) error {
	if err == io.EOF {
		b.c.finish(b.keep)
		return io.EOF
	}
	failure := b.c.failure(PhaseBody, err)
	b.c.finish(false)
	return failure
}

// readTrailer reads the trailer after the last chunk (RFC 9112, section 7.1.2).
func (b *body) readTrailer() error {
	c := b.c
	switch next, err := c.br.Peek(2); {
	case err == ErrNotYet:
		return err
	case err == nil && string(next) == "\r\n":
		c.br.Discard(2)
		return io.EOF
	}
	c.reading.patience = time.Time{} // lines that were read cannot be put back
	c.reading.headLeft = c.t.opts.MaxHeader
	fields, err := header.ReadTrailer(c.br, math.MaxInt)
	c.reading.headLeft = math.MaxInt64
	if err != nil {
		return fmt.Errorf("trailer: %w", err)
	}
	if *b.trailer == nil && len(fields) > 0 {
		*b.trailer = make(http.Header, len(fields))
	}
	maps.Copy(*b.trailer, fields)
	return io.EOF
}

// Close gives the connection back if the rest of the body is buffered, else it closes the
// connection. It ends a Read in progress. It returns nil.
func (b *body) Close() error {
	switch {
	case b.state.CompareAndSwap(bodyOpen, bodyClosed):
		b.drain()
	case b.state.CompareAndSwap(bodyReading, bodyClosed):
		b.c.fail(errClosed) // the Read ends the call
	case b.state.CompareAndSwap(bodyEnded, bodyClosed):
	}
	return nil
}

// maxDrain bounds, in bytes, the rest of an unread body that drain decodes to save a
// connection.
const maxDrain = 4 << 10

// drain reads the rest without the network, and ends the call.
func (b *body) drain() {
	c := b.c
	if !b.keep || b.left > int64(min(maxDrain, c.br.Buffered())) || b.left == untilClose {
		c.finish(false)
		return
	}
	c.reading.local = true
	var scratch [512]byte
	var err error
	for read := 0; err == nil && read < maxDrain; {
		var n int
		n, err = b.read(scratch[:])
		read += n
	}
	c.reading.local = false
	c.finish(errors.Is(err, io.EOF))
}

package inbound

import (
	"bufio"
	"bytes"
	"io"
	"maps"
	"net/http"
	"runtime"
	"sync"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/goodgate/goodgate/internal/wire/chunked"
	"github.com/goodgate/goodgate/internal/wire/header"
)

const (
	// maxTrailer bounds the trailer fields of a request, in bytes.
	maxTrailer = 4 << 10

	// maxLeftOver bounds, in bytes, the rest of a body that the server reads after the
	// handler has returned, to keep the connection. leftOverTime bounds the time for that.
	maxLeftOver  = 256 << 10
	leftOverTime = 5 * time.Second
)

// body is the body of a request; nil = it has none. Read and Close may be called
// from any goroutine, and fail once the request has been served.
type body struct {
	c *conn
	w *response

	mu     sync.Mutex      // protects the fields below; held while reading
	left   int64           // bytes of one of known length
	chunks *chunked.Reader // of one that is chunked
	expect bool            // the client waits to be asked for it
	err    error           // sticky; io.EOF once all has been read
	closed bool
}

// Read returns io.EOF with the last bytes, where these are known to be the last.
func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, http.ErrBodyReadAfterClose
	}
	return b.read(p)
}

func (b *body) read(p []byte) (n int, err error) {
	if b.err != nil || len(p) == 0 {
		return 0, b.err
	}
	if b.expect {
		b.expect = false
		b.c.waits.Store(true) // the client may take nothing
		b.w.askForBody()
		b.c.waits.Store(false)
	}
	if b.chunks != nil {
		n, err = b.readChunks(p)
	} else {
		n, err = b.readSized(p)
	}
	if err != nil {
		b.err = err
	}
	if err == io.EOF {
		b.c.watch.atEnd()
	}
	return n, err
}

func (b *body) readSized(p []byte) (int, error) {
	n, err := b.c.take(p, b.left)
	b.left -= int64(n)
	switch {
	case b.left == 0:
		return n, io.EOF
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (b *body) readChunks(p []byte) (int, error) {
	n, err := b.chunks.Read(p)
	if err == io.EOF {
		err = b.readTrailer()
		if err == nil {
			err = io.EOF
		}
	}
	return n, err
}

// readTrailer reads what follows the last chunk into the request.
func (b *body) readTrailer() error {
	fields, err := header.ReadTrailer(b.c.br, maxTrailer)
	if err == header.ErrTooLarge {
		return malformed("a trailer of more than %d bytes", maxTrailer)
	}
	if err != nil {
		return err
	}
	maps.DeleteFunc(fields, func(key string, _ []string) bool { return !httpguts.ValidTrailerHeader(key) })
	if r := &b.w.request; r.Trailer == nil && len(fields) > 0 {
		r.SetTrailer(fields)
	} else {
		maps.Copy(r.Trailer, fields)
	}
	return nil
}

// Malformed returns the error in the buffered part of a chunked body, or nil. It does
// not wait.
func (b *body) Malformed() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.err != nil || b.chunks == nil {
		return nil
	}
	_, err := b.ahead()
	return err
}

// EndIsNear reports whether the rest of the body is small enough to keep the connection
// even if the handler does not read it: the end is buffered, or the length proves it. It
// does not wait.
func (b *body) EndIsNear() bool {
	for !b.mu.TryLock() {
		if b.c.waits.Load() {
			return false // a read has taken what had come, and this was not the end
		}
		runtime.Gosched() // it only decodes
	}
	defer b.mu.Unlock()
	switch {
	case b.err != nil:
		return b.err == io.EOF
	case b.closed || b.expect:
		return false
	case b.chunks == nil:
		return b.left <= maxLeftOver
	}
	end, err := b.ahead()
	return end && err == nil
}

// ahead scans the buffered part of a chunked body, and reports whether it contains the
// end. mu must be held.
func (b *body) ahead() (end bool, err error) {
	if b.c.buffered() == 0 {
		return false, nil
	}
	have, _ := b.c.br.Peek(b.c.br.Buffered())
	rest, ended, err := b.chunks.Ahead(have)
	n := header.End(rest, 0)
	switch {
	case err != nil, !ended, n < 0:
		return false, err
	case n == len("\r\n") && rest[0] == '\r':
		return true, nil
	}
	_, err = header.ReadTrailer(bufio.NewReader(bytes.NewReader(rest[:n])), maxTrailer)
	return err == nil, err
}

// Close ends the reading. The server takes the rest.
func (b *body) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	return nil
}

// stop ends a read that is in progress when the request has been served, and makes
// later ones fail.
func (b *body) stop() {
	if b == nil {
		return
	}
	if !b.mu.TryLock() {
		b.c.rd.Bound(time.Now())
		b.mu.Lock() // a read that has got something nevertheless does no harm
	}
	defer b.mu.Unlock()
	b.closed = true
}

// settle takes the rest of a stopped body, and reports whether the connection has
// reached the next request.
func (b *body) settle() bool {
	if b == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return b.err == io.EOF
	}
	if b.expect || b.left > maxLeftOver {
		return false
	}
	b.c.rd.Bound(time.Now().Add(leftOverTime))
	n, err := io.CopyN(io.Discard, readerFunc(b.read), maxLeftOver)
	return err == io.EOF && n <= maxLeftOver
}

// whole reports whether all of the body has been read.
func (b *body) whole() bool {
	if b == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err == io.EOF
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// openBody makes the body of a request by its framing.
func (w *response) openBody() {
	r := &w.request
	if r.ContentLength == 0 {
		r.Body = http.NoBody
		return
	}
	b := &body{c: w.c, w: w, left: max(r.ContentLength, 0)}
	if r.ContentLength < 0 {
		b.chunks = chunked.New(w.c.br)
	}
	b.expect = r.ProtoMinor > 0 && r.HasToken(header.Expect, "100-continue")
	w.body, r.Body = b, b
}

package http1

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/goodgate/goodgate/internal/wire/deadline"
)

// lingering is how long the end of a response waits for the last write of an upload, so
// that the connection can be used again.
const lingering = 50 * time.Millisecond

// upload writes a request's body while the call waits for the response and reads it. Its
// goroutine reads and closes the body. It ends with the last byte, with the connection,
// or at the return of a Read that outlasts the call.
type upload struct {
	c     *conn
	x     *Call
	left  int64 // bytes to write; -1 = chunked
	body  io.ReadCloser
	close sync.Once

	trailer http.Header // its names are announced; its values are read at the end of the body

	done chan struct{}
	err  error // valid after done; nil = the request is complete

	mu      sync.Mutex // protects the fields below
	reading bool       // a Read of the body is in progress
	last    bool       // the write in progress is the last one
	over    bool       // the call has ended
}

// startUpload takes over the body.
func startUpload(c *conn, o *outgoing) *upload {
	o.taken = true
	u := &upload{c: c, x: c.x, left: o.length, body: o.Body, trailer: o.Trailer, done: make(chan struct{})}
	go u.run()
	return u
}

func (u *upload) run() {
	defer close(u.done)
	err := u.copy()
	u.close.Do(func() { u.body.Close() })
	u.err = err
	u.settle(err)
}

// settle reports the result of the upload to the reader of the response.
func (u *upload) settle(err error) {
	c := u.c
	fault, ours := errors.AsType[*Error](err)
	switch {
	case err == nil:
		c.boundHeader()
	case err == errOver:
	case ours && fault.Kind == RequestBody && c.rd.reached(stageBody):
		c.closeWrite() // the response may continue; the request cannot
	case ours:
		c.fail(fault)
	case deadline.Exceeded(err) && c.rd.reached(stageBody): // the response may continue
	case deadline.Exceeded(err):
		u.x.sawEnd(TimedOut)
		c.fail(&Error{PhaseWrite, Timeout, c.tooLong(PhaseWrite, err)})
	case c.broken.Load() == nil:
		u.x.sawEnd(endOf(err))
		c.boundHeader() // the upstream may have answered and closed
	}
}

// finished reports whether the whole request was written. A nil upload has nothing to
// write.
func (u *upload) finished() bool {
	if u == nil {
		return true
	}
	u.mu.Lock()
	last := u.last
	u.mu.Unlock()
	if last {
		timer := time.NewTimer(lingering)
		defer timer.Stop()
		select {
		case <-u.done:
		case <-timer.C:
		}
	}
	select {
	case <-u.done:
		return u.err == nil
	default:
		return false
	}
}

// abandon ends the upload of a call that has ended; the connection is closed. A Read in
// progress may wait for Close, or Close for the Read.
func (u *upload) abandon() {
	if u == nil {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.over = true
	if u.reading {
		go u.close.Do(func() { u.body.Close() })
	}
}

// errOver ends an upload whose call has ended.
var errOver = errors.New("the exchange has ended")

// Free space in an upload's buffer: for a chunk's size before the bytes, and for the
// last chunk after them.
const (
	chunkRoom = len("8000\r\n")
	chunkEnd  = len("\r\n0\r\n")
)

// copy writes the body. It returns an *Error if the body fails.
func (u *upload) copy() error {
	pool := &u.c.t.uploads
	buf := pool.Get()
	defer func() { pool.Put(buf) }()
	for u.left != 0 {
		p := buf.Bytes[chunkRoom : len(buf.Bytes)-chunkEnd]
		if u.left > 0 {
			p = p[:min(int64(len(p)), u.left)]
		}
		n, err := u.read(p)
		if err != nil && err != io.EOF {
			return err
		}
		if err := u.write(buf.Bytes, n, err == io.EOF); err != nil {
			return err
		}
		if err == io.EOF && u.left > 0 {
			return &Error{PhaseWrite, RequestBody, io.ErrUnexpectedEOF}
		}
		if err == io.EOF {
			return nil
		}
		buf = pool.Fit(buf, n)
	}
	return nil
}

// read reads from the body, unless the call has ended.
func (u *upload) read(p []byte) (int, error) {
	u.mu.Lock()
	if u.over {
		u.mu.Unlock()
		return 0, errOver
	}
	u.reading = true
	u.mu.Unlock()

	n, err := u.body.Read(p)

	u.mu.Lock()
	defer u.mu.Unlock()
	u.reading = false
	if u.over {
		return 0, errOver
	}
	if err != nil && err != io.EOF {
		return 0, &Error{PhaseWrite, RequestBody, err}
	}
	u.last = u.left < 0 && err == io.EOF || u.left == int64(n)
	return n, err
}

// write writes n bytes of the body with their framing, and after the last bytes the end
// of the body.
func (u *upload) write(buf []byte, n int, end bool) error {
	body := buf[chunkRoom : chunkRoom+n]
	if u.left >= 0 {
		u.left -= int64(n)
		return u.c.write(body, nil)
	}
	if n > 0 {
		size := strconv.AppendInt(make([]byte, 0, chunkRoom), int64(n), 16)
		size = append(size, "\r\n"...)
		from := chunkRoom - len(size)
		copy(buf[from:], size)
		body = append(buf[from:chunkRoom+n], "\r\n"...)
	}
	if !end {
		return u.c.write(body, nil)
	}
	return u.c.write(append(body, "0\r\n"...), u.end())
}

// end returns the end of a chunked body. The values of the trailer are known only after
// the body has been read to its end.
func (u *upload) end() []byte {
	var b bytes.Buffer
	if len(u.trailer) > 0 && checkTrailer(u.trailer) == nil {
		u.trailer.Write(&b)
	}
	b.WriteString("\r\n")
	return b.Bytes()
}

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

// lingering is how long the end of a response waits for an upload that is
// writing its last bytes, so that the connection can be used again.
const lingering = 50 * time.Millisecond

// upload writes a request's body while the response is awaited and read. Its
// goroutine reads and closes the body; it ends with the last byte, with the
// connection, or when a Read that outlasts the call returns.
type upload struct {
	c     *conn
	x     *Call
	left  int64 // bytes to write; -1 = chunked
	body  io.ReadCloser
	close sync.Once

	trailer http.Header // announced, and read at the end of the body

	done chan struct{}
	err  error // to be read after done; nil = the request is complete

	mu      sync.Mutex // protects the fields below
	reading bool       // a Read of the body is under way
	last    bool       // what is being written is the end
	over    bool       // the call has ended
}

// startUpload takes the body over.
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

// settle tells the reader of the response what became of the upload.
func (u *upload) settle(err error) {
	c := u.c
	fault, ours := errors.AsType[*Error](err)
	switch {
	case err == nil:
		c.boundHeader()
	case err == errOver:
	case ours && fault.Kind == RequestBody && c.rd.reached(stageBody):
		c.closeWrite() // the response may go on; the request cannot
	case ours:
		c.fail(fault)
	case deadline.Exceeded(err) && c.rd.reached(stageBody): // the response may go on
	case deadline.Exceeded(err):
		u.x.sawEnd(TimedOut)
		c.fail(&Error{PhaseWrite, Timeout, c.tooLong(PhaseWrite, err)})
	case c.broken.Load() == nil:
		u.x.sawEnd(endOf(err))
		c.boundHeader() // the upstream may have answered and closed
	}
}

// finished reports whether all of the request was written. A nil upload has
// nothing to write.
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

// abandon ends the upload of a call that has ended, whose connection is
// closed. A Read that is under way may wait for Close, or Close for it.
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

// An upload's buffer has room for a chunk's size before, and for the last chunk
// after, what is read into it.
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

// write writes the n bytes that were read, framed, and the end after the last.
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

// end returns what ends a chunked body. The values of the trailer are known only
// once the body has been read to its end.
func (u *upload) end() []byte {
	var b bytes.Buffer
	if len(u.trailer) > 0 && checkTrailer(u.trailer) == nil {
		u.trailer.Write(&b)
	}
	b.WriteString("\r\n")
	return b.Bytes()
}

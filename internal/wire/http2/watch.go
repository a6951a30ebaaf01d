package http2

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// errStalled ends a stream without progress.
var errStalled = errors.New("the stream stood still")

// watch ends its stream when neither body has made progress for Options.Idle, or when its
// header could not be written in this time.
type watch struct {
	s      *stream
	timer  *time.Timer // nil without a limit
	header atomic.Bool // the watch is for the header
}

func newWatch(s *stream) *watch {
	w := &watch{s: s}
	if d := s.c.t.opts.Idle; d > 0 {
		w.timer = time.AfterFunc(d, w.fire)
		w.timer.Stop()
	}
	return w
}

// startHeader is start for the header, which may wait for a connection that has no stream
// after all. It needs no stop: once the header is written, fire does nothing.
func (w *watch) startHeader() {
	w.header.Store(true)
	w.start()
}

func (w *watch) start() {
	if w.timer != nil {
		w.s.moved.Store(time.Now().UnixNano())
		w.timer.Reset(w.s.c.t.opts.Idle)
	}
}

func (w *watch) stop() {
	if w.timer != nil {
		w.timer.Stop()
		w.s.moved.Store(time.Now().UnixNano())
	}
}

func (w *watch) fire() {
	if w.header.Load() && w.s.id.Load() != 0 {
		return
	}
	left := w.s.c.t.opts.Idle - time.Since(time.Unix(0, w.s.moved.Load()))
	if left > 0 { // the other direction has made progress
		w.timer.Reset(left)
		return
	}
	w.s.cancel(errStalled)
}

// upload is a request's body. It watches only the wait for the upstream, which is the
// time between two reads.
type upload struct {
	io.ReadCloser
	s      *stream
	watch  *watch
	failed atomic.Pointer[error] // the client's failure
}

func (u *upload) Read(p []byte) (int, error) {
	u.watch.stop()
	n, err := u.ReadCloser.Read(p)
	u.s.x.Wrote(int64(n))
	switch {
	case err == nil:
		u.watch.start()
	case err != io.EOF && err != http.ErrBodyReadAfterClose:
		u.failed.Store(&err)
	}
	return n, err
}

// Close is called by net/http. If nothing was read it leaves the body open for another
// connection.
func (u *upload) Close() error {
	if u.s.id.Load() == 0 {
		return nil
	}
	return u.ReadCloser.Close()
}

func (u *upload) stop() {
	if u != nil {
		u.watch.stop()
	}
}

// failure returns the client's failure, nil if it did not fail.
func (u *upload) failure() error {
	if u == nil {
		return nil
	}
	if err := u.failed.Load(); err != nil {
		return *err
	}
	return nil
}

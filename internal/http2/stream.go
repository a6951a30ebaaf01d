package http2

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync/atomic"
	"time"

	"github.com/goodgate/goodgate/internal/http1"
)

// max1xx is how many informational responses one request may have.
const max1xx = 100

// stream is one exchange.
type stream struct {
	c      *conn
	x      *http1.Exchange
	ctx    context.Context
	cancel context.CancelCauseFunc

	id       atomic.Uint32 // 0 = no header was written
	informed int           // informational responses; the reader's
	returned atomic.Bool   // RoundTrip has
	moved    atomic.Int64  // when one of the bodies last moved; Unix nanoseconds
	upload   *upload       // nil without a body
}

func newStream(c *conn, x *http1.Exchange, r *http.Request) *stream {
	s := &stream{c: c, x: x}
	s.ctx, s.cancel = context.WithCancelCause(r.Context())
	return s
}

// roundTrip sends the request on the stream that was reserved.
func (s *stream) roundTrip(r *http.Request) (*http.Response, *http1.Error) {
	out := r.WithContext(httptrace.WithClientTrace(s.ctx, s.trace()))
	out.GetBody = nil
	if http1.SpelledOddly(r.URL) && !strings.HasPrefix(r.URL.RawPath, "//") {
		out.URL = new(*r.URL)
		out.URL.Opaque = r.URL.RawPath
	}
	if r.Body != nil && r.Body != http.NoBody {
		s.upload = &upload{ReadCloser: r.Body, s: s, watch: newWatch(s)}
		out.Body = s.upload
	}
	res, err := s.c.cc.RoundTrip(out)
	s.returned.Store(true)
	if err != nil {
		failed := s.failure(http1.PhaseHeader, err)
		s.end()
		return nil, failed
	}
	res.Request = r
	if bodiless(r, res) {
		res.Body.Close()
		res.Body = http.NoBody
		s.end()
		return res, nil
	}
	res.Body = newBody(s, res.Body)
	return res, nil
}

// bodiless reports whether a response ended with its header.
func bodiless(r *http.Request, res *http.Response) bool {
	if r.Method == http.MethodHead {
		return true
	}
	_, sized := res.Header["Content-Length"]
	return res.ContentLength == 0 && !sized // as net/http says it
}

// end frees what the stream holds.
func (s *stream) end() {
	s.cancel(nil)
	s.upload.stop()
	s.c.used.Store(time.Now().UnixNano())
}

func (s *stream) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		// Called right after the header was written, while nobody else may write.
		WroteHeaders: func() {
			s.id.Store(s.c.wire.opened.Load())
			s.x.Wrote(max(s.c.wire.headers.Load(), 1))
		},
		GotFirstResponseByte: func() { s.x.Got(frameHeader) },
		Got1xxResponse:       s.inform,
	}
}

var errInformed = fmt.Errorf("more than %d informational responses", max1xx)

// inform passes an informational response on, unless it comes too late.
func (s *stream) inform(code int, h textproto.MIMEHeader) error {
	if s.informed++; s.informed > max1xx {
		return errInformed
	}
	if s.x.Got1xx == nil || s.returned.Load() {
		return nil
	}
	return s.x.Got1xx(code, h)
}

// errStalled ends a stream that stood still.
var errStalled = errors.New("the stream stood still")

// watch ends its stream when neither body has moved for Options.Idle.
type watch struct {
	s     *stream
	timer *time.Timer // nil without a bound
}

func newWatch(s *stream) *watch {
	w := &watch{s: s}
	if d := s.c.t.opts.Idle; d > 0 {
		w.timer = time.AfterFunc(d, w.fire)
		w.timer.Stop()
	}
	return w
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
	left := w.s.c.t.opts.Idle - time.Since(time.Unix(0, w.s.moved.Load()))
	if left > 0 { // the other direction has moved
		w.timer.Reset(left)
		return
	}
	w.s.cancel(errStalled)
}

// upload is a request's body. Only the wait for the upstream is watched, which
// is the time between two reads.
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

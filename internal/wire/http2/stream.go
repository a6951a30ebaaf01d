package http2

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync/atomic"
	"time"

	"github.com/goodgate/goodgate/internal/wire/h2frame"
	"github.com/goodgate/goodgate/internal/wire/http1"
)

// max1xx is how many informational responses one request may have.
const max1xx = 100

// stream is one call.
type stream struct {
	c      *conn
	x      *http1.Call
	ctx    context.Context
	cancel context.CancelCauseFunc

	id       atomic.Uint32 // 0 = no header was written
	informed int           // number of informational responses; belongs to the reader
	deaf     atomic.Bool   // passing on an informational response has failed
	returned atomic.Bool   // RoundTrip has returned
	ended    atomic.Bool   // no longer counted by its connection
	unsent   bool          // the connection failed before any part of the request was written
	moved    atomic.Int64  // last progress of either body, in Unix nanoseconds
	watch    *watch        // watches the sending of the header, then the response's body
	upload   *upload       // nil without a body
}

func newStream(c *conn, x *http1.Call, r *http.Request) *stream {
	s := &stream{c: c, x: x}
	s.ctx, s.cancel = context.WithCancelCause(r.Context())
	s.watch = newWatch(s)
	return s
}

// roundTrip sends the request on the reserved stream.
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
	s.watch.startHeader()
	res, err := s.c.cc.RoundTrip(out)
	s.returned.Store(true)
	if err != nil {
		return nil, s.fail(r, err)
	}
	res.Request = r
	if err := settle(res); err != nil {
		s.end()
		res.Body.Close()
		return nil, &http1.Error{Phase: http1.PhaseHeader, Kind: http1.Malformed, Err: err}
	}
	if bodiless(r, res) {
		s.end()
		res.Body.Close()
		res.Body = http.NoBody
		return res, nil
	}
	res.Body = newBody(s, res.Body)
	return res, nil
}

// fail ends a stream without a response, and returns the reason.
func (s *stream) fail(r *http.Request, err error) *http1.Error {
	failed := s.failure(http1.PhaseHeader, err)
	s.end()
	if s.c.t.opts.Single {
		s.c.cc.Close()
	}
	if s.x.Written() > 0 || failed.Kind == http1.RequestBody {
		return failed
	}
	if err := invalid(r); err != nil {
		failed.Kind, failed.Err = http1.Invalid, err
		return failed
	}
	s.unsent = true
	return failed
}

// end frees what the stream holds.
func (s *stream) end() {
	s.cancel(nil)
	s.watch.stop()
	s.upload.stop()
	s.c.wire.Ended(s.id.Load())
	s.c.used.Store(time.Now().UnixNano())
	if !s.ended.Swap(true) {
		s.c.calls.Add(-1)
	}
	s.c.rest()
}

func (s *stream) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		// net/http calls this right after it has written the header, before any other
		// write.
		WroteHeaders: func() {
			s.id.Store(s.c.wire.opened.Load())
			s.x.Wrote(max(s.c.wire.headers.Load(), 1))
		},
		GotFirstResponseByte: func() { s.x.Got(h2frame.HeaderSize) },
		Got1xxResponse:       s.inform,
	}
}

var (
	errInformed = fmt.Errorf("more than %d informational responses", max1xx)
	errSwitch   = errors.New("status 101, which HTTP/2 does not have (RFC 9113, section 8.6)")
)

// inform passes on an informational response, unless it comes too late.
func (s *stream) inform(code int, h textproto.MIMEHeader) error {
	if code == http.StatusSwitchingProtocols {
		return errSwitch
	}
	if s.informed++; s.informed > max1xx {
		return errInformed
	}
	if s.x.Got1xx == nil || s.returned.Load() {
		return nil
	}
	err := s.x.Got1xx(code, h)
	if err != nil {
		s.deaf.Store(true)
	}
	return err
}

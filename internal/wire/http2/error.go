package http2

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/goodgate/goodgate/internal/wire/http1"
)

// code is an error code of RFC 9113 section 7.
type code uint32

const (
	protocolError    code = 0x1
	flowControlError code = 0x3
	refusedStream    code = 0x7
	http11Required   code = 0xd
)

// streamError has the fields of net/http's own error, which errors.As can convert into
// this form.
type streamError struct {
	StreamID uint32
	Code     code
	Cause    error
}

func (e streamError) Error() string {
	return fmt.Sprintf("stream error %#x: %v", uint32(e.Code), e.Cause)
}

// canceled is the failure of a call whose context has ended.
func canceled(ctx context.Context, p http1.Phase) *http1.Error {
	return &http1.Error{Phase: p, Kind: http1.Canceled, Err: context.Cause(ctx)}
}

// failure returns the reason for the stream's failure: this side's own reason first, then
// the upstream's statement about the stream, then the end of the connection.
func (s *stream) failure(p http1.Phase, err error) *http1.Error {
	if s.ctx.Err() != nil {
		if s.id.Load() == 0 {
			s.x.Wrote(1) // part of the header may have been sent
		}
		if context.Cause(s.ctx) == errStalled {
			return &http1.Error{Phase: p, Kind: http1.Timeout, Err: fmt.Errorf("%w: nothing moved for %v (timeouts.idle)", errStalled, s.c.t.opts.Idle)}
		}
		return canceled(s.ctx, p)
	}
	if failed := s.upload.failure(); failed != nil && p == http1.PhaseHeader {
		return &http1.Error{Phase: http1.PhaseWrite, Kind: http1.RequestBody, Err: failed}
	}
	if s.deaf.Load() {
		return &http1.Error{Phase: p, Kind: http1.Canceled, Err: err}
	}
	if s.needsHTTP1(err) {
		err = fmt.Errorf("%w: %w", ErrNeedsHTTP1, err)
	}
	kind := s.kind(err)
	if kind == http1.Refused {
		s.x.Undelivered = true
	}
	if s.id.Load() == 0 && p == http1.PhaseHeader {
		p = http1.PhaseWrite
	}
	return &http1.Error{Phase: p, Kind: kind, Err: err}
}

func (s *stream) kind(err error) http1.Kind {
	wire := s.c.wire
	reset, isReset := errors.AsType[streamError](err)
	id := s.id.Load()
	switch {
	case s.rejected(err):
		return http1.Refused
	case isReset && (reset.Code == protocolError || reset.Code == flowControlError):
		return http1.Malformed
	case isReset:
		return http1.Reset
	case timedOut(err):
		return http1.Timeout
	case wire.closed():
		return http1.Closed
	case errors.Is(wire.end(), syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNRESET):
		return http1.Reset
	case s.c.lostPing():
		return http1.Timeout
	case errors.Is(err, io.ErrUnexpectedEOF): // the body is shorter than announced
		return http1.Closed
	case id == 0 && s.c.cc.Err() == nil: // net/http has refused the connection, and nothing was written
		return http1.Refused
	case id == 0, id > wire.processed.Load(): // a GOAWAY ended it after the answer had begun
		return http1.Closed
	}
	return http1.Malformed
}

// rejected reports whether the upstream has stated that it did not process the request
// (RFC 9113, section 8.7). Any answer, even an informational response, disproves that.
func (s *stream) rejected(err error) bool {
	if s.x.Received() > 0 {
		return false
	}
	reset, isReset := errors.AsType[streamError](err)
	return isReset && (reset.Code == refusedStream || reset.Code == http11Required) ||
		s.c.wire.goingAway() && s.id.Load() > s.c.wire.processed.Load()
}

// ErrNeedsHTTP1 is part of the error of a request that the upstream refused because it
// requires HTTP/1.1 (HTTP_1_1_REQUIRED).
var ErrNeedsHTTP1 = errors.New("the upstream requires HTTP/1.1 for this request")

func (s *stream) needsHTTP1(err error) bool {
	reset, isReset := errors.AsType[streamError](err)
	if isReset {
		return reset.Code == http11Required && s.rejected(err)
	}
	return s.c.wire.wantsHTTP1.Load() && s.rejected(err)
}

// lostPing reports whether the connection was closed because the upstream did not answer
// a ping.
func (c *conn) lostPing() bool {
	ping := c.t.opts.Ping
	return ping > 0 && c.cc.Err() != nil && time.Since(time.Unix(0, c.wire.heard.Load())) >= ping
}

// timedOut reports whether err means a passed deadline, for example net/http's for the
// response header.
func timedOut(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}

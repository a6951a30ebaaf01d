package health

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/reason"
)

// Prober makes one probe. Probe returns nil when it passed, otherwise what was
// found: an [*Error] says which result that is. Any other error is Silent when
// it is a timeout, nothing at all when it is [ErrNotProbed], and else Wrong.
// Probe must return soon after ctx has ended, and is called for many upstreams
// at the same time.
type Prober interface {
	Probe(ctx context.Context, u *balancer.Upstream) error
}

// Error is a failed probe.
type Error struct {
	Result balancer.Probe // Wrong, Silent, Refused or Drains; the zero value counts as Wrong
	// Reason is the word that a live request would fail with, had it met the same;
	// None for an answer that only a probe finds wrong.
	Reason reason.Reason
	Status int // of the answer, when that is what was wrong; 0 = something else was
	Err    error
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// ErrNotProbed says that a probe could not be made for want of something on
// this side, such as file descriptors. It says nothing about the upstream, so
// it never changes a verdict: otherwise a gate short of descriptors would take
// all its upstreams down.
var ErrNotProbed = errors.New("probe could not be made")

// Result returns what a [Prober]'s error counts as.
func Result(err error) balancer.Probe {
	if err == nil {
		return balancer.Passed
	}
	if e, ok := errors.AsType[*Error](err); ok && e.Result != balancer.Passed {
		return e.Result
	}
	if errors.Is(err, ErrNotProbed) || timedOut(err) {
		return balancer.Silent
	}
	return balancer.Wrong
}

func timedOut(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	n, ok := errors.AsType[net.Error](err)
	return ok && n.Timeout()
}

// wrong says that the upstream answered, but not as expected.
func wrong(format string, args ...any) error {
	return &Error{Result: balancer.Wrong, Err: fmt.Errorf(format, args...)}
}

// drains says that the upstream answered that it is to get no new requests.
func drains(format string, args ...any) error {
	return &Error{Result: balancer.Drains, Err: fmt.Errorf(format, args...)}
}

// dialError classifies why there is no connection.
func dialError(ctx context.Context, err error) error {
	for _, short := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		if errors.Is(err, short) {
			return fmt.Errorf("%w: %w", ErrNotProbed, err)
		}
	}
	result := balancer.Refused
	switch dns, ok := errors.AsType[*net.DNSError](err); {
	case ctx.Err() != nil, timedOut(err):
		result = balancer.Silent
	case ok && !dns.IsNotFound: // the name server's trouble, not the upstream's
		result = balancer.Silent
	case errors.Is(err, syscall.EADDRNOTAVAIL): // no local port left
		result = balancer.Silent
	case errors.Is(err, syscall.ECONNRESET): // accepted, and reset before connect returned
		result = balancer.Silent
	}
	return &Error{Result: result, Reason: dialReason(ctx, err), Err: during(ctx, "connecting", err)}
}

// exchangeError classifies what went wrong on a connection: Silent when the
// connection did, Wrong when what came over it makes no sense.
func exchangeError(ctx context.Context, doing string, err error) error {
	if _, ok := errors.AsType[*Error](err); ok || errors.Is(err, ErrNotProbed) {
		return err
	}
	result := balancer.Wrong
	if ctx.Err() != nil || broken(err) {
		result = balancer.Silent
	}
	return &Error{Result: result, Reason: exchangeReason(ctx, err), Err: during(ctx, doing, err)}
}

func broken(err error) bool {
	_, op := errors.AsType[*net.OpError](err)
	return op || timedOut(err) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// during says what ended doing: the context's cause, which names the limit, if
// that is what it was.
func during(ctx context.Context, doing string, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return fmt.Errorf("%s: %w", doing, err)
}

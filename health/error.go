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

// Prober makes one probe. Probe returns nil if it passed. An [*Error] has the result.
// [ErrNotProbed] stands for no result. Any other error means Silent if it is a timeout,
// and else Wrong. Probe must return soon after ctx ends. The checker calls it for many
// upstreams at the same time.
type Prober interface {
	Probe(ctx context.Context, u *balancer.Upstream) error
}

// Error is a failed probe.
type Error struct {
	Result balancer.Probe // Wrong, Silent, Refused or Drains; the zero value counts as Wrong
	// Reason is the reason with which a live request would have failed in place of the
	// probe; None if a live request would have accepted the answer.
	Reason reason.Reason
	Status int // status of the answer if it was unexpected; 0 = something else failed
	Err    error
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// ErrNotProbed means that this process could not make a probe, for example because it had
// no file descriptor left. That proves nothing about the upstream, so it never changes a
// verdict. Otherwise a shortage of descriptors would take all upstreams down.
var ErrNotProbed = errors.New("probe could not be made")

// Result returns the result that a [Prober]'s error stands for.
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

// wrong returns the error of an upstream that answered, but not as expected.
func wrong(format string, args ...any) error {
	return &Error{Result: balancer.Wrong, Err: fmt.Errorf(format, args...)}
}

// drains returns the error of an upstream that answered that it wants no new requests.
func drains(format string, args ...any) error {
	return &Error{Result: balancer.Drains, Err: fmt.Errorf(format, args...)}
}

// dialError classifies the error of a connection attempt.
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
	case ok && !dns.IsNotFound: // the name server's failure, not the upstream's
		result = balancer.Silent
	case errors.Is(err, syscall.EADDRNOTAVAIL): // no local port left
		result = balancer.Silent
	case errors.Is(err, syscall.ECONNRESET): // accepted, and reset before connect returned
		result = balancer.Silent
	}
	return &Error{Result: result, Reason: dialReason(ctx, err), Err: during(ctx, "connecting", err)}
}

// exchangeError classifies an error on a connection: Silent if the connection failed,
// Wrong if its bytes make no sense.
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

// during names the operation that failed. If the context ended, it uses the context's
// cause, which names the limit.
func during(ctx context.Context, doing string, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return fmt.Errorf("%s: %w", doing, err)
}

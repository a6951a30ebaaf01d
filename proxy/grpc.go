package proxy

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/wire/header"
	"github.com/goodgate/goodgate/internal/wire/message"
)

// Status codes of gRPC (https://github.com/grpc/grpc/blob/master/doc/statuscodes.md).
const (
	grpcDeadlineExceeded = 4
	grpcUnavailable      = 14
)

// isGRPC reports whether a message belongs to gRPC; gRPC-Web is plain HTTP.
func isGRPC(contentType string) bool {
	const grpc = "application/grpc"
	rest, ok := strings.CutPrefix(contentType, grpc)
	if !ok {
		return false
	}
	return rest == "" || rest[0] == '+' || rest[0] == ';'
}

// statusOf returns the status that an answer amounts to. A call of gRPC that
// ends before its first message says UNAVAILABLE where another says 503.
func statusOf(res *message.Response) int {
	if isGRPC(res.Get(header.ContentType)) && res.Field("Grpc-Status") == grpcStatusUnavailable {
		return http.StatusServiceUnavailable
	}
	return res.StatusCode
}

// grpcStatusUnavailable is grpcUnavailable in a message.
const grpcStatusUnavailable = "14"

// grpcTimeout returns the time that the client gives a call, 0 when it does not
// say so properly
// (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).
func grpcTimeout(v string) time.Duration {
	const maxDigits = 8
	if len(v) < 2 || len(v) > maxDigits+1 {
		return 0
	}
	n, err := strconv.ParseUint(v[:len(v)-1], 10, 32)
	if err != nil {
		return 0
	}
	unit, ok := map[byte]time.Duration{
		'H': time.Hour, 'M': time.Minute, 'S': time.Second,
		'm': time.Millisecond, 'u': time.Microsecond, 'n': time.Nanosecond,
	}[v[len(v)-1]]
	if !ok || time.Duration(n) > time.Duration(1<<62)/unit {
		return 0
	}
	return time.Duration(n) * unit
}

// grpcGrace is what goodgate gives a call beyond the client's time. The client
// ends it by itself; a stream that goodgate cut a moment before would look like a
// failure of another kind.
const grpcGrace = 100 * time.Millisecond

// boundGRPC makes the client's time for a call goodgate's, if it is shorter than
// the route's.
func (x *exchange) boundGRPC(r *Request, limit time.Duration) time.Duration {
	if !x.grpc {
		return limit
	}
	if d := grpcTimeout(r.Field("Grpc-Timeout")); d > 0 && (limit == 0 || d < limit) {
		x.grpcEnd = x.record.Start.Add(d)
		return d + grpcGrace
	}
	return limit
}

// tellTime tells an upstream what is left of the time for a call, of which
// earlier tries have taken some.
func (d *delivery) tellTime(out *http.Request) {
	if d.grpcEnd.IsZero() {
		return
	}
	const most = 99_999_999 // of the eight digits there may be
	left := max(time.Until(d.grpcEnd), 0)
	switch {
	case left < most*time.Microsecond:
		out.Header.Set("Grpc-Timeout", strconv.FormatInt(left.Microseconds(), 10)+"u")
	default:
		out.Header.Set("Grpc-Timeout", strconv.FormatInt(min(left.Milliseconds(), most), 10)+"m")
	}
}

// failGRPC answers a call that gets no upstream's answer, in the way of a server
// that sends no message.
func (x *exchange) failGRPC(r reason.Reason) {
	h := x.writer.Header()
	h.Set("Content-Type", "application/grpc")
	h.Set("Grpc-Status", strconv.Itoa(x.grpcStatus(r)))
	h.Set("Grpc-Message", x.grpcMessage(r))
	x.editError(h)
	x.writer.WriteHeader(http.StatusOK)
}

func (x *exchange) grpcMessage(r reason.Reason) string {
	return url.PathEscape(fmt.Sprintf("%s (%v, request %s)", r.Text(), r, x.record.ID))
}

// grpcStatus returns what a client gets for a reason. A call whose time is over is
// told so, whatever made it wait.
func (x *exchange) grpcStatus(r reason.Reason) int {
	if x.grpcTimedOut() {
		return grpcDeadlineExceeded
	}
	return r.GRPC()
}

// grpcTimedOut reports whether the time for a call is over that the client still
// waits for. An upstream knows the client's time, and may end the call before the
// client does.
func (x *exchange) grpcTimedOut() bool {
	switch contextReason(x.ctx) {
	case reason.None:
		return !x.grpcEnd.IsZero() && !time.Now().Before(x.grpcEnd)
	case reason.ResponseTimeout:
		return x.grpc
	}
	return false
}

// timeoutGRPC ends a call in the middle of its messages when its time is over. A
// server does it by a trailer; cutting the stream off would be an INTERNAL error.
// Nobody is at fault.
func (b *leasedBody) timeoutGRPC(err error) {
	b.a.res.SetTrailer("Grpc-Status", strconv.Itoa(grpcDeadlineExceeded))
	b.a.res.SetTrailer("Grpc-Message", b.x.grpcMessage(reason.ResponseTimeout))
	b.account(reason.ResponseTimeout, err)
}

// endGRPC accounts for a call that ended after its first message.
func (b *leasedBody) endGRPC() {
	trailer := b.a.res.Trailers()
	if !b.x.grpc || trailer.Get("Grpc-Status") != grpcStatusUnavailable {
		return
	}
	b.a.lease.Report(balancer.Failure, 0)
	err := fmt.Errorf("grpc-status %d %s", grpcUnavailable, trailer.Get("Grpc-Message"))
	b.account(reason.UpstreamStatus, err)
}

// account notes how a call ended after its header.
func (b *leasedBody) account(r reason.Reason, err error) {
	b.x.record.Reason, b.x.record.Err = r, err
	if entry := b.x.record.entry(b.a); entry != nil {
		entry.Reason, entry.Err = r, err
	}
}

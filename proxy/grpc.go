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

// gRPC status codes (https://github.com/grpc/grpc/blob/master/doc/statuscodes.md).
const (
	grpcDeadlineExceeded = 4
	grpcUnavailable      = 14
)

// isGRPC reports whether a content type is gRPC's. gRPC-Web does not count: it is plain
// HTTP.
func isGRPC(contentType string) bool {
	const grpc = "application/grpc"
	rest, ok := strings.CutPrefix(contentType, grpc)
	if !ok {
		return false
	}
	return rest == "" || rest[0] == '+' || rest[0] == ';'
}

// statusOf returns the effective HTTP status of an answer. A gRPC call that fails with
// UNAVAILABLE before its first message counts as a 503.
func statusOf(res *message.Response) int {
	if isGRPC(res.Get(header.ContentType)) && res.Field("Grpc-Status") == grpcStatusUnavailable {
		return http.StatusServiceUnavailable
	}
	return res.StatusCode
}

// grpcStatusUnavailable is grpcUnavailable as text.
const grpcStatusUnavailable = "14"

// grpcTimeout parses the client's time limit for a call, 0 without a valid one
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

// grpcGrace is the time that goodgate adds to the client's limit for a call. The client
// ends the call itself. If goodgate cut the stream a moment earlier, the client would see
// another kind of failure.
const grpcGrace = 100 * time.Millisecond

// boundGRPC returns the shorter of the client's limit for a call and the route's.
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

// tellTime gives the upstream the remaining time for a call, after earlier attempts.
func (d *delivery) tellTime(out *http.Request) {
	if d.grpcEnd.IsZero() {
		return
	}
	const most = 99_999_999 // the value may have eight digits
	left := max(time.Until(d.grpcEnd), 0)
	switch {
	case left < most*time.Microsecond:
		out.Header.Set("Grpc-Timeout", strconv.FormatInt(left.Microseconds(), 10)+"u")
	default:
		out.Header.Set("Grpc-Timeout", strconv.FormatInt(min(left.Milliseconds(), most), 10)+"m")
	}
}

// failGRPC answers a call that gets no answer from an upstream, in the form of a server
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

// grpcStatus returns the gRPC status for a reason. After the call's time it is
// DEADLINE_EXCEEDED, whatever has caused the wait.
func (x *exchange) grpcStatus(r reason.Reason) int {
	if x.grpcTimedOut() {
		return grpcDeadlineExceeded
	}
	return r.GRPC()
}

// grpcTimedOut reports whether the call's time has passed while the client still waits.
// An upstream knows the client's limit, and may end the call before the client does.
func (x *exchange) grpcTimedOut() bool {
	switch contextReason(x.ctx) {
	case reason.None:
		return !x.grpcEnd.IsZero() && !time.Now().Before(x.grpcEnd)
	case reason.ResponseTimeout:
		return x.grpc
	}
	return false
}

// timeoutGRPC ends a call between its messages when its time has passed. A server does
// this with a trailer. If the stream were cut, the client would see an INTERNAL error.
// timeoutGRPC blames nobody.
func (b *leasedBody) timeoutGRPC(err error) {
	b.a.res.SetTrailer("Grpc-Status", strconv.Itoa(grpcDeadlineExceeded))
	b.a.res.SetTrailer("Grpc-Message", b.x.grpcMessage(reason.ResponseTimeout))
	b.account(reason.ResponseTimeout, err)
}

// endGRPC accounts for a call that failed after its first message.
func (b *leasedBody) endGRPC() {
	trailer := b.a.res.Trailers()
	if !b.x.grpc || trailer.Get("Grpc-Status") != grpcStatusUnavailable {
		return
	}
	b.a.lease.Report(balancer.Failure, 0)
	err := fmt.Errorf("grpc-status %d %s", grpcUnavailable, trailer.Get("Grpc-Message"))
	b.account(reason.UpstreamStatus, err)
}

// account records how a call ended after its header.
func (b *leasedBody) account(r reason.Reason, err error) {
	b.x.record.Reason, b.x.record.Err = r, err
	if entry := b.x.record.entry(b.a); entry != nil {
		entry.Reason, entry.Err = r, err
	}
}

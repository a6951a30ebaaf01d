package proxy

import (
	"math"
	"net/http"
	"strconv"

	"github.com/goodgate/goodgate/internal/wire/message"
)

// This file handles Max-Forwards of OPTIONS (RFC 9110, section 7.6.2). TRACE is the other
// method with that field, and goodgate does not forward it.

// maxForwards returns the number of proxies that the request may still pass. ok is false
// without exactly one valid number.
func maxForwards(r *Request) (n int64, ok bool) {
	if r.Method != http.MethodOptions {
		return 0, false
	}
	return readMaxForwards(r)
}

// readMaxForwards is a separate function because its loop allocates.
func readMaxForwards(r *Request) (n int64, ok bool) {
	for v := range r.ValuesOf("Max-Forwards") {
		parsed, err := strconv.ParseUint(v, 10, 63)
		if ok || err != nil && !tooLarge(err) {
			return 0, false
		}
		n, ok = int64(min(parsed, math.MaxInt32)), true
	}
	return n, ok
}

func tooLarge(err error) bool {
	e, ok := err.(*strconv.NumError)
	return ok && e.Err == strconv.ErrRange
}

// countForward decrements Max-Forwards for the upstream.
func countForward(r *Request, h message.Editor) {
	if n, ok := maxForwards(r); ok {
		h.Set("Max-Forwards", strconv.FormatInt(n-1, 10))
	}
}

// endsHere reports whether the request is for goodgate itself.
func (x *exchange) endsHere() bool {
	n, ok := maxForwards(x.request)
	return ok && n == 0
}

// answerOptions answers a request that ends here.
func (x *exchange) answerOptions() {
	h := x.writer.Header()
	h.Set("Allow", allowed)
	h.Set("Content-Length", "0")
	x.editResponse(h, false)
	x.writer.WriteHeader(http.StatusOK)
}

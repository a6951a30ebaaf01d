package proxy

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/goodgate/goodgate/reason"

	limits "github.com/goodgate/goodgate/internal/limit"
)

// Limits bound the requests that a listener, a route or a pool accepts. They hold their
// own counts, so create each once and share the pointer. nil accepts all. They are safe
// for concurrent use.
type Limits struct {
	Rates    []*Rate
	Requests int   // in flight; 0 = no limit
	MaxBody  int64 // bytes of a request's body; 0 = no limit
	// Share returns the part of Requests for this process, if several processes share the
	// limit; nil = all of it. It must be cheap and safe for concurrent use.
	Share func(requests int) int

	under atomic.Int64 // requests in flight
}

// Rate bounds the rate of requests with the same key. Create it with [NewRate].
type Rate struct {
	Name      string  // for the RateLimit header and the log
	On        RateKey // nil = one rate for all requests together
	PerSecond float64
	Burst     int  // largest number of requests at once, after a pause; 0 = as many as in one second
	MaxKeys   int  // keys to remember; 0 = 65536
	DryRun    bool // refuse nothing, and only record what would be refused

	rates  *limits.Rates
	shared RateLimiter // used instead of rates; nil = use rates
	policy string      // the value of RateLimit-Policy
	state  string      // the beginning of a value of RateLimit
}

// RateLimiter counts requests in place of a [Rate]'s own counts. It must be safe for
// concurrent use.
type RateLimiter interface {
	// Allow takes a token from the key's bucket.
	Allow(key uint64, now time.Time) RateVerdict
}

// RateVerdict is the decision of a [RateLimiter] about a request. Its fields are OK,
// Remaining (further requests allowed at once), Reset (time until the burst is complete
// again), and Retry (time until the next request would be admitted; 0 if OK). The client
// gets them in headers.
type RateVerdict = limits.Verdict

// Share makes the rate use l, for example the limiter of a fleet of processes, in place of
// its own counts. The keys of on must be the same in all these processes; nil counts all
// requests together. Call Share before the rate is used.
func (r *Rate) Share(l RateLimiter, on RateKey) { r.shared, r.On = l, on }

// Shared reports whether Share was called.
func (r *Rate) Shared() bool { return r.shared != nil }

// allow takes a token from the key's bucket.
func (r *Rate) allow(key uint64, now time.Time) RateVerdict {
	if r.shared != nil {
		return r.shared.Allow(key, now)
	}
	return r.rates.Allow(key, now)
}

// Priority orders requests in a queue.
type Priority = limits.Priority

// The priorities. The zero value, High, comes first in the queue.
const (
	High   = limits.High
	Normal = limits.Normal
	Low    = limits.Low
)

// NewRate returns a rate that is ready for use.
func NewRate(o Rate) *Rate {
	o.rates = limits.NewRates(limits.RateOptions{PerSecond: o.PerSecond, Burst: o.Burst, MaxKeys: o.MaxKeys})
	burst := o.Burst
	if burst == 0 {
		burst = max(int(o.PerSecond), 1)
	}
	o.state = strconv.Quote(o.Name) + ";r="
	o.policy = fmt.Sprintf("%q;q=%d;w=%d", o.Name, burst, max(int(math.Ceil(float64(burst)/o.PerSecond)), 1))
	return &o
}

// errMaxRequests means that the limit of requests in flight is reached.
var errMaxRequests = errors.New("limits.max_requests")

// passes checks the request against the limits and counts it. It returns the reason to
// refuse it, or nil.
func (x *exchange) passes(l *Limits, now time.Time) *Error {
	if l == nil {
		return nil
	}
	for _, r := range l.Rates {
		if err := x.rate(r, now); err != nil {
			return err
		}
	}
	if err := x.boundBody(l.MaxBody); err != nil {
		return err
	}
	if most := l.most(); most > 0 {
		if n := l.under.Add(1); n > int64(most) {
			l.under.Add(-1)
			return &Error{Reason: reason.Overloaded, Err: fmt.Errorf("%w lets in %d at once", errMaxRequests, most)}
		}
		x.limits.counting[slices.Index(x.limits.counting[:], nil)] = l
	}
	return nil
}

// most returns the limit of requests in flight; 0 = no limit.
func (l *Limits) most() int {
	if l.Share == nil || l.Requests == 0 {
		return l.Requests
	}
	return l.Share(l.Requests)
}

// boundBody refuses a body that is known to be larger than most, and limits one of
// unknown length.
func (x *exchange) boundBody(most int64) *Error {
	n := x.request.ContentLength
	if n < 0 && x.body != nil {
		n = x.body.total.Load() // its length is at least this
	}
	switch {
	case most <= 0:
	case n > most:
		return &Error{Reason: reason.RequestTooLarge, Err: fmt.Errorf("the body has %d bytes, limits.max_body is %d", n, most)}
	case x.request.ContentLength < 0 && (x.limits.maxBody == 0 || most < x.limits.maxBody):
		x.limits.maxBody = most
		x.body.setMost(most)
	}
	return nil
}

// rate takes a token for the request.
func (x *exchange) rate(r *Rate, now time.Time) *Error {
	key := uint64(1)
	if r.On != nil {
		if key = r.On(x.request, x.record.Client); key == 0 {
			return nil
		}
	}
	v := r.allow(key, now)
	if r.DryRun {
		if !v.OK {
			x.record.DryRun = r.Name
		}
		return nil
	}
	x.tell("Ratelimit-Policy", r.policy)
	var room [64]byte
	state := strconv.AppendInt(append(room[:0], r.state...), int64(v.Remaining), 10)
	x.tell("Ratelimit", string(appendSeconds(append(state, ";t="...), v.Reset)))
	if v.OK {
		return nil
	}
	return &Error{Reason: reason.RateLimited, RetryAfter: v.Retry, Err: fmt.Errorf("limits.rates: %s lets in %s", r.Name, r.policy)}
}

// tell adds a value to a field of the response.
func (x *exchange) tell(name, value string) {
	h := x.writer.Header()
	h[name] = append(h[name], value)
}

// seconds formats a wait in seconds for a header, rounded up.
func seconds(d time.Duration) string { return string(appendSeconds(nil, d)) }

func appendSeconds(b []byte, d time.Duration) []byte {
	return strconv.AppendInt(b, int64(math.Ceil(d.Seconds())), 10)
}

// release undoes the counting of passes.
func (x *exchange) release() {
	for _, l := range x.limits.counting {
		if l != nil {
			l.under.Add(-1)
		}
	}
}

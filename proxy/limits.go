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

// Limits say which requests a listener, a route or a pool lets in. They hold
// their own counts, so that each is made once and used by pointer; nil lets in
// all.
type Limits struct {
	Rates    []*Rate
	Requests int   // at once; 0 = no bound
	MaxBody  int64 // bytes of a request's body; 0 = no bound
	// Share returns which part of Requests this process may let in, where several have
	// them together; nil = all. It must be cheap and safe for concurrent use.
	Share func(requests int) int

	under atomic.Int64 // requests under way
}

// Rate bounds how often requests with the same key come.
type Rate struct {
	Name      string  // in the RateLimit header and the log
	On        RateKey // nil = one bound for all requests together
	PerSecond float64
	Burst     int  // requests at once after a pause; 0 = one second's
	MaxKeys   int  // keys remembered; 0 = 65536
	DryRun    bool // only say in the record what would have been refused

	rates  *limits.Rates
	shared limiter // decides instead of rates; nil = they do
	policy string  // of the header RateLimit-Policy
	state  string  // how the header RateLimit begins
}

// limiter takes a token of a key's bucket.
type limiter interface {
	Allow(key uint64, now time.Time) limits.Verdict
}

// Share makes the rate count by what l says, which several processes share, and by keys
// that are the same in all of them; on = nil counts all requests together. It is called
// before the rate is used.
func (r *Rate) Share(l limiter, on RateKey) { r.shared, r.On = l, on }

// Shared reports whether Share was called.
func (r *Rate) Shared() bool { return r.shared != nil }

// allow takes a token of the key's bucket.
func (r *Rate) allow(key uint64, now time.Time) limits.Verdict {
	if r.shared != nil {
		return r.shared.Allow(key, now)
	}
	return r.rates.Allow(key, now)
}

// Priority says whose turn comes first when requests queue.
type Priority = limits.Priority

// The priorities; the zero value goes first, so that what is not rated is not
// held back.
const (
	High   = limits.High
	Normal = limits.Normal
	Low    = limits.Low
)

// NewRate makes a rate ready for use.
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

// errMaxRequests says that as many requests are under way as may be.
var errMaxRequests = errors.New("limits.max_requests")

// passes counts the request where limits are to count it, or says why they keep it
// out.
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

// most is how many requests are let in at once; 0 = no bound.
func (l *Limits) most() int {
	if l.Share == nil || l.Requests == 0 {
		return l.Requests
	}
	return l.Share(l.Requests)
}

// boundBody refuses a body that is known to be larger than most, and bounds one
// of unknown length.
func (x *exchange) boundBody(most int64) *Error {
	n := x.request.ContentLength
	if n < 0 && x.body != nil {
		n = x.body.total.Load() // at least
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

// rate takes the request's token.
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

// tell adds a value to a header of the answer.
func (x *exchange) tell(name, value string) {
	h := x.writer.Header()
	h[name] = append(h[name], value)
}

// seconds renders a wait for a header, rounded up.
func seconds(d time.Duration) string { return string(appendSeconds(nil, d)) }

func appendSeconds(b []byte, d time.Duration) []byte {
	return strconv.AppendInt(b, int64(math.Ceil(d.Seconds())), 10)
}

// release gives back what passes took.
func (x *exchange) release() {
	for _, l := range x.limits.counting {
		if l != nil {
			l.under.Add(-1)
		}
	}
}

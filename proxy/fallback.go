package proxy

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/internal/wire/message"
)

// Fallback answers a request that would end with a gateway error. Exactly one of Pool and
// Respond must be set. A failure of the fallback has no further fallback.
type Fallback struct {
	Pool    *Pool
	Respond *Respond
	On      reason.Failures // the gateway errors that it answers; 0 = all

	answer *fixedAnswer // of Respond
}

// fallbackHold is how long a request waits for an upstream of the fallback pool. It has
// already waited for the first pool.
const fallbackHold = time.Second

// prepared returns a checked copy of a route's fallback; nil for nil.
func (f *Fallback) prepared(rt *Route) (*Fallback, error) {
	switch {
	case f == nil:
		return nil, nil
	case rt.Pool == nil:
		return nil, fmt.Errorf("route %s: a fallback needs a pool to stand in for", rt.Name)
	case (f.Pool == nil) == (f.Respond == nil):
		return nil, fmt.Errorf("route %s: a fallback needs exactly one of a pool and a response", rt.Name)
	case f.Pool == rt.Pool && rt.Split == nil:
		return nil, fmt.Errorf("route %s: pool %s is its own fallback", rt.Name, rt.Pool.Name())
	}
	f = new(*f)
	f.answer = f.Respond.compiled(rt.ResponseHeaders.Set)
	return f, nil
}

// takes reports whether the fallback answers a failure with this reason.
func (f *Fallback) takes(r reason.Reason) bool {
	kind := r.Failure()
	return f != nil && kind != 0 && (f.On == 0 || f.On&kind != 0)
}

// fallback answers a failed request with the route's fallback, if there is one. It
// returns an error only for another failure in the meantime, such as a client that has
// left.
func (x *exchange) fallback(why *Error) (*message.Response, *Error) {
	f := x.standby
	if !f.takes(why.Reason) || f.Pool == x.pool {
		return nil, nil
	}
	if f.Respond != nil {
		return x.fixed(f.answer, why), nil
	}
	return x.elsewhere(f.Pool, why)
}

// elsewhere delivers the request to the fallback pool, unless the operator has closed
// that pool or its limits refuse the request. It returns any answer, whatever its status.
// Without an answer the first failure stays.
func (x *exchange) elsewhere(pool *Pool, why *Error) (*message.Response, *Error) {
	first := x.delivery
	if x.ctx.Err() != nil || first.barred(why) != reason.Retried {
		return nil, nil
	}
	maxBody := x.limits.maxBody
	if pool.Paused() != nil || pool.Maintained() != nil {
		return nil, nil
	}
	if err := x.admitTo(pool); err != nil {
		x.notElsewhere(pool, err)
		return nil, nil
	}
	first.leave()
	x.record.Fallback = pool.Name()
	pool.deposit()
	d := new(delivery)
	x.begin(d, x.order(pool, *x.asked()), first)
	d.choice = x.choice(pool, d.choice.Tried)
	d.choice.Now = 0 // time has passed
	d.holdEnd = time.Now().Add(fallbackHold)
	a, failed := d.run(nil)
	if failed == nil {
		x.hide(reason.ByFallback, why.Reason)
		x.delivery = d
		return x.give(a), nil
	}
	d.leave()
	tooLarge := failed.Reason == reason.RequestTooLarge && x.limits.maxBody != maxBody // by the limit of this pool only
	if tooLarge {
		x.notElsewhere(pool, failed)
	}
	if failed.Reason.Fault() == reason.FaultClient && !tooLarge {
		return nil, failed
	}
	return nil, nil
}

// admitTo checks the limits of a fallback pool. If they refuse the request, it hides them
// from the client, who did not ask for that pool.
func (x *exchange) admitTo(pool *Pool) *Error {
	h := x.writer.Header()
	policy, state := h["Ratelimit-Policy"], h["Ratelimit"]
	err := x.passes(pool.opts.Limits, time.Now())
	if err != nil {
		restore(h, "Ratelimit-Policy", policy)
		restore(h, "Ratelimit", state)
	}
	return err
}

func restore(h http.Header, name string, values []string) {
	if values == nil {
		delete(h, name)
		return
	}
	h[name] = values
}

// notElsewhere records why the limits of a fallback pool have refused the request.
func (x *exchange) notElsewhere(pool *Pool, err *Error) {
	x.limits.keptOut = fmt.Sprintf("%s: %v", pool.Name(), err.Err)
}

// fixed answers with the configured response. A response that is itself a gateway error
// hides nothing.
func (x *exchange) fixed(f *fixedAnswer, why *Error) *message.Response {
	x.ours(why)
	res := f.fill(x).response(x.request.Method)
	if statusReason(res.StatusCode) == reason.None {
		x.hide(reason.ByFallback, why.Reason)
	} else {
		x.record.Reason, x.record.Err = why.Reason, why.Err
	}
	return res
}

// response returns the fixed response in the form of an upstream's.
func (f *Respond) response(method string) *message.Response {
	res := &http.Response{
		ProtoMajor:    1,
		ProtoMinor:    1,
		StatusCode:    f.Status,
		Header:        make(http.Header, len(f.Headers)),
		Body:          http.NoBody,
		ContentLength: int64(len(f.Body)),
	}
	if res.StatusCode == 0 {
		res.StatusCode = http.StatusOK
	}
	for name, v := range f.Headers {
		res.Header.Set(name, v)
	}
	if f.Body != "" && method != http.MethodHead {
		res.Body = io.NopCloser(strings.NewReader(f.Body))
	}
	answer := new(message.Response)
	answer.SetHTTP(res)
	return answer
}

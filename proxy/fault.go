package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/goodgate/goodgate/reason"
)

// Fault injects a fault, to test the clients of a route. It does not count against any
// upstream. The zero value does nothing.
type Fault struct {
	Share   float64           // share of the requests, from 0 to 1
	Headers map[string]string // conditions on headers: a value, or "*" for any; nil = all requests
	Until   time.Time         // end of the fault; zero = never

	Delay    time.Duration // before the request continues, at most a minute; 0 = none
	Abort    int           // status of an answer in place of the upstream's; 0 = none
	Cut      int64         // bytes of the response's body after which the connection breaks; 0 = never
	Throttle int64         // bytes a second of the response's body; 0 = no limit
}

// longestDelay bounds the total delay of a request by all faults.
const longestDelay = time.Minute

// FaultKinds is the set of injected faults that a request met.
type FaultKinds uint8

const (
	FaultDelay FaultKinds = 1 << iota
	FaultAbort
	FaultCut
	FaultThrottle
)

// Words returns the kinds in words, for example "delay" and "cut".
func (k FaultKinds) Words() (words []string) {
	for i, word := range [...]string{"delay", "abort", "cut", "throttle"} {
		if k&(1<<i) != 0 {
			words = append(words, word)
		}
	}
	return words
}

// String returns the kinds as words with commas, for example "delay,cut"; empty for none.
func (k FaultKinds) String() string { return strings.Join(k.Words(), ",") }

// Injection holds faults that may change while the proxy runs, besides those of
// [Route.Faults]. It is safe for concurrent use. The zero value has none.
type Injection struct{ list atomic.Pointer[[]Fault] }

// Set replaces the faults. The caller must not modify the slice afterwards.
func (i *Injection) Set(list []Fault) {
	if len(list) == 0 {
		i.list.Store(nil)
		return
	}
	i.list.Store(&list)
}

// get returns the present faults; nil for a nil Injection.
func (i *Injection) get() []Fault {
	if i == nil {
		return nil
	}
	if list := i.list.Load(); list != nil {
		return *list
	}
	return nil
}

// errFault marks an injected failure.
var errFault = errors.New("injected fault")

// harm is the effect of faults on the response of an exchange.
type harm struct {
	left int64 // bytes of the body until the connection breaks; -1 = never
	rate int64 // bytes a second; 0 = no limit
}

// injure applies the route's faults, and those that were injected at run time. It returns
// the answer in place of the upstream's, or nil.
func (x *exchange) injure(injected []Fault) *Error {
	h, delay, abort := harm{left: -1}, time.Duration(0), 0
	now := time.Now()
	for i := range len(x.route.Faults) + len(injected) {
		f := faultAt(i, x.route.Faults, injected)
		if !f.Until.IsZero() && !now.Before(f.Until) || !f.takes(x.request) {
			continue
		}
		x.record.Faults |= f.kinds()
		delay = min(delay+f.Delay, longestDelay)
		if f.Abort != 0 && abort == 0 {
			abort = f.Abort
		}
		if f.Cut > 0 && (h.left < 0 || f.Cut < h.left) {
			h.left = f.Cut
		}
		if f.Throttle > 0 && (h.rate == 0 || f.Throttle < h.rate) {
			h.rate = f.Throttle
		}
	}
	if delay > 0 && !sleep(x.ctx, delay) {
		return &Error{Reason: contextReason(x.ctx), Err: context.Cause(x.ctx)}
	}
	if h.left >= 0 || h.rate > 0 {
		x.more().harm = &h
	}
	if abort > 0 {
		return &Error{Reason: reason.FaultInjected, Err: fmt.Errorf("%w: abort %d", errFault, abort), status: abort}
	}
	return nil
}

// faultAt returns an entry of two lists, of which the second follows the first.
func faultAt(i int, first, second []Fault) *Fault {
	if i < len(first) {
		return &first[i]
	}
	return &second[i-len(first)]
}

func (f *Fault) takes(r *Request) bool {
	m := Match{Headers: f.Headers}
	return m.matchesHeaders(r) && (f.Share >= 1 || rand.Float64() < f.Share)
}

func (f *Fault) kinds() (k FaultKinds) {
	for i, is := range []bool{f.Delay > 0, f.Abort > 0, f.Cut > 0, f.Throttle > 0} {
		if is {
			k |= 1 << i
		}
	}
	return k
}

// hurt returns the effect of faults on the response; nil = none.
func (w *responseWriter) hurt() *harm {
	if w.x.extras == nil {
		return nil
	}
	return w.x.extras.harm
}

// throttled is write with a fault: it sends the data in parts at the rate, up to the cut.
func (w *responseWriter) throttled(p []byte, h *harm) (written int, err error) {
	for len(p) > 0 {
		part := p
		if h.left >= 0 && int64(len(part)) > h.left {
			part = part[:h.left]
		}
		if h.rate > 0 {
			part = part[:min(int64(len(part)), max(1, h.rate/throttleSteps))]
		}
		n := 0
		if len(part) > 0 {
			n, err = w.pass(part)
		}
		written += n
		if err != nil {
			return written, err
		}
		p = p[n:]
		if h.left >= 0 {
			if h.left -= int64(n); h.left == 0 && len(p) > 0 {
				return written, w.cut()
			}
		}
		if h.rate > 0 {
			if err := w.flush(); err != nil {
				return written, err
			}
			if !sleep(w.x.ctx, time.Duration(float64(n)/float64(h.rate)*float64(time.Second))) {
				return written, context.Cause(w.x.ctx)
			}
		}
	}
	return written, nil
}

// throttleSteps is the number of parts into which throttled divides the bytes of a
// second.
const throttleSteps = 20

// arrival is the time for the bytes before a cut over HTTP/3: a client that learns of the
// end of a stream drops the bytes that it has not read yet (RFC 9000, section 3.2).
const arrival = 100 * time.Millisecond

// cut breaks the response off, after it has flushed the bytes already written.
func (w *responseWriter) cut() error {
	w.flush()
	if w.x.request.ProtoMajor == 3 {
		sleep(w.x.ctx, arrival)
	}
	w.x.record.Reason, w.x.record.Err = reason.FaultInjected, fmt.Errorf("%w: cut", errFault)
	w.err = fmt.Errorf("%w: %w", errFault, io.ErrUnexpectedEOF)
	return w.err
}

// breakOff ends the client's connection after a cut in goodgate's own answer.
func (x *exchange) breakOff() {
	if x.record.Reason == reason.FaultInjected && errors.Is(x.writer.err, errFault) {
		panic(http.ErrAbortHandler)
	}
}

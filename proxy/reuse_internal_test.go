package proxy

import (
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/stale"
)

// plainExchange is one as it is after a plain GET.
func plainExchange() *exchange {
	x := &exchange{
		Context: nil, lasting: new(lasting), request: &http.Request{ProtoMajor: 1}, route: &Route{Pool: &Pool{}},
		begun: collected{complete: true}, record: Record{Attempts: make([]Attempt, 1)},
	}
	x.room.res = &http.Response{StatusCode: 200, ProtoMajor: 1}
	x.room.wire.Reused = true
	return x
}

// TestReusable: whatever makes an exchange more than simple leaves it to the
// garbage collector.
func TestReusable(t *testing.T) {
	t.Parallel()
	if !plainExchange().reusable() {
		t.Fatal("a plain one is not reused")
	}
	for name, change := range map[string]func(*exchange){
		"HTTP/2":                func(x *exchange) { x.request.ProtoMajor = 2 },
		"a body":                func(x *exchange) { x.body = new(replayBody) },
		"a bounded body":        func(x *exchange) { x.unbound = io.NopCloser(nil) },
		"a deadline":            func(x *exchange) { x.limit = new(limit) },
		"a trace":               func(x *exchange) { x.trace = fakeTrace{} },
		"a tunnel":              func(x *exchange) { x.tunnel = new(tunnel) },
		"may be hedged":         func(x *exchange) { x.lone = &x.room },
		"is hedged":             func(x *exchange) { x.race = new(race) },
		"an answer held":        func(x *exchange) { x.held = new(http.Response) },
		"aborted":               func(x *exchange) { x.aborted = true },
		"watched":               func(x *exchange) { x.watched.Store(true) },
		"no attempt":            func(x *exchange) { x.record.Attempts = nil },
		"two attempts":          func(x *exchange) { x.record.Attempts = make([]Attempt, 2) },
		"failed":                func(x *exchange) { x.record.Reason = UpstreamStatus },
		"absorbed":              func(x *exchange) { x.record.Absorbed = ByRetry },
		"held":                  func(x *exchange) { x.record.Held = time.Millisecond },
		"queued":                func(x *exchange) { x.record.Queued = time.Millisecond },
		"a fallback":            func(x *exchange) { x.record.Fallback = "other" },
		"an attempt that fails": func(x *exchange) { x.room.failed = new(Error) },
		"an attempt bounded":    func(x *exchange) { x.room.limit = new(limit) },
		"no answer":             func(x *exchange) { x.room.res = nil },
		"answered by HTTP/2":    func(x *exchange) { x.room.res.ProtoMajor = 2 },
		"switched":              func(x *exchange) { x.room.res.StatusCode = 101 },
		"a new connection":      func(x *exchange) { x.room.wire.Reused = false },
		"an answer not whole":   func(x *exchange) { x.begun.complete = false },
		"a buffer not returned": func(x *exchange) { x.begun.room = new(collectBuf) },
		"an answer kept":        func(x *exchange) { x.route.Pool.stale = new(stale.Cache) },
		"a client gone":         func(x *exchange) { x.writer.err = errors.New("gone") },
	} {
		x := plainExchange()
		change(x)
		if x.reusable() {
			t.Errorf("%s: reused", name)
		}
	}
}

type fakeTrace struct{}

func (fakeTrace) ID() string                 { return "" }
func (fakeTrace) Attempt(http.Header) SpanID { return SpanID{} }
func (fakeTrace) End(*Record)                {}

// An exchange that is given back holds nothing of its request.
func TestRecycleClears(t *testing.T) {
	t.Parallel()
	p := new(Proxy)
	x := plainExchange()
	x.proxy = p
	x.record.Path = "/secret"
	x.single("secret")
	x.recycle()
	if x.record.Path != "" || x.request != nil || x.nvalue != 0 || x.values[0] != "" || x.proxy != nil {
		t.Errorf("it still holds %+v", x)
	}
}

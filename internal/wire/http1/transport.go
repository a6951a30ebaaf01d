package http1

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/goodgate/goodgate/internal/wire/buffer"
	"github.com/goodgate/goodgate/internal/wire/message"
)

// Options are a transport's. Only Dial is required.
type Options struct {
	// Dial returns a new connection to the upstream, with TLS finished. Its
	// error is returned by RoundTrip as it is. It has to bound itself, and to
	// end with ctx. A connection that wraps another should have a method
	// NetConn() net.Conn, as *tls.Conn does, for the socket to be found.
	Dial func(ctx context.Context) (net.Conn, error)

	MaxIdle   int           // idle connections kept; 0 = none
	KeepAlive time.Duration // how long they may idle; 0 = until the upstream closes them
	Age       time.Duration // at which a connection is used no more, less a random tenth; 0 = no bound

	ResponseHeader time.Duration // from the request's last byte to the header's; 0 = no bound
	Idle           time.Duration // how long a body may stand still, up to twice that for a request's; 0 = no bound
	Continue       time.Duration // how long to wait for 100 (Continue) before the body is sent; 0 = not at all

	MaxHeader  int64 // bytes of a response header, or of its trailers; 0 = 1 MiB
	ReadBuffer int   // bytes a connection buffers; 0 = 4 KiB
}

const (
	defaultMaxHeader  = 1 << 20
	defaultReadBuffer = 4 << 10
)

// Transport sends HTTP/1.1 requests to one upstream. It is safe for concurrent
// use. Use New.
type Transport struct {
	opts    Options
	pool    pool
	uploads buffer.Pool
}

// New returns a transport. Close ends its idle connections.
func New(o Options) *Transport {
	if o.MaxHeader <= 0 {
		o.MaxHeader = defaultMaxHeader
	}
	if o.ReadBuffer <= 0 {
		o.ReadBuffer = defaultReadBuffer
	}
	t := &Transport{opts: o, uploads: buffer.Pool{Extra: chunkRoom + chunkEnd}}
	t.pool.max, t.pool.age = o.MaxIdle, o.KeepAlive
	return t
}

// Close closes the idle connections; those in use close when their call
// ends. It returns nil.
func (t *Transport) Close() error {
	t.pool.close()
	return nil
}

// Retire is Close.
func (t *Transport) Retire() { t.pool.close() }

// Idle returns how many connections are idle.
func (t *Transport) Idle() int { return t.pool.len() }

// RoundTrip sends a request and returns the response, whose body the caller
// reads to its end or closes: a [Body], unless it is http.NoBody. It obeys the contract of http.RoundTripper; the
// body's Close alone may be called while a Read is under way. The body of a 101
// (Switching Protocols) is an io.ReadWriteCloser with CloseWrite.
//
// x tells what was learned, also of a failure, and may be nil. The error is
// that of Options.Dial or an [*Error]. A request is sent once: only when an idle
// connection turns out to have ended before a byte was written, it is sent on
// the next.
//
// Of the request, Close, Header, Host, Method, Trailer, TransferEncoding and URL
// (path and query, and the host where Host is empty) are used, and Body with
// ContentLength. A Body that is [Buffered] needs no goroutine. Any other is
// closed by a goroutine of its own when a Read of it outlasts the call.
func (t *Transport) RoundTrip(r *http.Request, x *Call) (*http.Response, error) {
	if x == nil {
		x = new(Call)
	}
	out, err := x.requestOf(r)
	if err != nil {
		if out.Body != nil {
			out.Body.Close()
		}
		return nil, &Error{PhaseWrite, Invalid, err}
	}
	if err := t.call(r.Context(), &out, x); err != nil {
		return nil, err
	}
	return x.http(r), nil
}

// Send is RoundTrip on heads alone. The response, its Head and its body are parts of
// x. Its Head has all fields as they came, but for a Transfer-Encoding of "chunked"
// and what goes with it alone, and several Content-Lengths that are the same.
func (t *Transport) Send(ctx context.Context, r *Request, x *Call) (*message.Response, error) {
	if x == nil {
		x = new(Call)
	}
	if err := t.call(ctx, r, x); err != nil {
		return nil, err
	}
	return &x.res, nil
}

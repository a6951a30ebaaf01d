package http1

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/goodgate/goodgate/internal/wire/buffer"
	"github.com/goodgate/goodgate/internal/wire/message"
)

// Options configure a [Transport]. Only Dial is required.
type Options struct {
	// Dial returns a new connection to the upstream, after the TLS handshake. RoundTrip
	// returns its error unchanged. It must have its own time limit, and end with ctx. A
	// connection that wraps another one should have a method NetConn() net.Conn, as
	// *tls.Conn does, so that the transport finds the socket.
	Dial func(ctx context.Context) (net.Conn, error)

	MaxIdle   int           // largest number of idle connections; 0 = none
	KeepAlive time.Duration // longest idle time; 0 = until the upstream closes the connection
	Requests  int           // number of requests after which a connection is not used again; 0 = no bound
	Age       time.Duration // age from which on a connection is not used again; a random part of up to a tenth is subtracted; 0 = no bound

	ResponseHeader time.Duration // longest time from the request's last byte to the end of the header; 0 = no bound
	Idle           time.Duration // longest time without progress of a response's body, and up to twice that for a request's body; 0 = no bound
	Continue       time.Duration // longest wait for 100 (Continue) before the body is sent; 0 = none

	MaxHeader  int64 // largest response header or trailer, in bytes; 0 = 1 MiB
	ReadBuffer int   // size of a connection's buffer, in bytes; 0 = 4 KiB
}

const (
	defaultMaxHeader  = 1 << 20
	defaultReadBuffer = 4 << 10
)

// Transport sends HTTP/1.1 requests to one upstream. It is safe for concurrent use. Use
// New.
type Transport struct {
	opts    Options
	pool    pool
	uploads buffer.Pool
}

// New returns a transport. Close closes its idle connections.
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

// Close closes the idle connections. Connections in use close when their call ends. It
// returns nil.
func (t *Transport) Close() error {
	t.pool.close()
	return nil
}

// Retire is Close.
func (t *Transport) Retire() { t.pool.close() }

// Idle returns the number of idle connections.
func (t *Transport) Idle() int { return t.pool.len() }

// RoundTrip sends a request and returns the response. The caller must read the response's
// body, a [Body] unless it is http.NoBody, to its end or close it. RoundTrip obeys the
// contract of http.RoundTripper. Only the body's Close may be called during a Read. The
// body of a 101 (Switching Protocols) is an io.ReadWriteCloser with CloseWrite.
//
// x reports the facts, even after a failure; it may be nil. The error is that of
// Options.Dial or an [*Error]. A request is sent once: RoundTrip tries the next
// connection only if an idle one had ended before a byte was written.
//
// RoundTrip uses these fields of the request: Close, Header, Host, Method, Trailer,
// TransferEncoding, URL (path and query, and the host if Host is empty), and Body with
// ContentLength. A [Buffered] Body needs no goroutine. If a Read of any other Body
// outlasts the call, another goroutine closes the Body.
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

// Send is RoundTrip without net/http. The response, its Head and its body are parts of x.
// The Head has all fields as the upstream sent them, with two exceptions: it has no
// Transfer-Encoding of "chunked" and no fields that depend on it, and several equal
// Content-Lengths become one.
func (t *Transport) Send(ctx context.Context, r *Request, x *Call) (*message.Response, error) {
	if x == nil {
		x = new(Call)
	}
	if err := t.call(ctx, r, x); err != nil {
		return nil, err
	}
	return &x.res, nil
}

package http2

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goodgate/goodgate/internal/wire/http1"
)

// Options are a transport's. Only Dial is required.
type Options struct {
	// Dial returns a new connection to the upstream, on which both sides have
	// agreed to speak HTTP/2. Its error is returned by RoundTrip as it is. It has
	// to bound itself, and to end with ctx. One call may serve many requests.
	Dial func(ctx context.Context) (net.Conn, error)

	Handshake time.Duration // for the upstream's first word on a new connection; 0 = no bound
	Wait      time.Duration // for a stream, when no more connections may be made; 0 = no bound

	MaxConns  int           // connections, beyond which requests wait for a stream; 0 = 1024
	Single    bool          // a connection serves one request
	KeepAlive time.Duration // how long an idle connection is kept; 0 = until the upstream closes it
	Age       time.Duration // at which a connection gets no more requests, less a random tenth; 0 = no bound
	Ping      time.Duration // after so much silence the upstream is asked for a sign of life, and has as long for it; 0 = never

	ResponseHeader time.Duration // from the request's last byte to the response's header; 0 = no bound
	Idle           time.Duration // how long both bodies may stand still, and the upstream take nothing off a connection; 0 = no bound, and 30 s
	Continue       time.Duration // how long to wait for 100 (Continue) before the body is sent; 0 = not at all

	MaxHeader int64 // bytes of a response header; 0 = 1 MiB
}

const (
	defaultMaxHeader = 1 << 20
	// defaultMaxConns is what Envoy allows. Each of the connections has, or had, a
	// request on it: so many at once have to be under way.
	defaultMaxConns = 1024
	// doubtAfter is how long a connection with requests on it may be silent until
	// others go elsewhere.
	doubtAfter = 5 * time.Second
	// heardJustNow is how long ago something was heard of a connection that is alive.
	heardJustNow = 250 * time.Millisecond
	// writeIdle is how long an upstream may take nothing off a connection when streams
	// may be silent for any time.
	writeIdle = 30 * time.Second
	// readAhead is what a stream may have sent before it is read: memory that a
	// client who does not read can make an upstream fill.
	readAhead = 256 << 10
)

// Transport sends HTTP/2 requests to one upstream. It is safe for concurrent
// use. Use New.
type Transport struct {
	opts    Options
	maker   http.Transport // makes the connections and is used for nothing else
	buffers sync.Pool      // of *pullBuffer

	life context.Context // of what is being dialled
	end  context.CancelFunc
	wg   sync.WaitGroup

	retired atomic.Bool // connections close as their last requests end

	pool
}

// New returns a transport. Close ends its connections.
func New(o Options) *Transport {
	o.MaxHeader = cmp.Or(o.MaxHeader, defaultMaxHeader)
	o.MaxConns = cmp.Or(o.MaxConns, defaultMaxConns)
	t := &Transport{opts: o, pool: pool{freed: make(chan struct{}, 1)}}
	t.life, t.end = context.WithCancel(context.Background())
	t.buffers.New = func() any { return new(pullBuffer) }
	t.maker = http.Transport{
		DialContext:            t.dialWire,
		Protocols:              new(http.Protocols),
		DisableCompression:     true,
		DisableKeepAlives:      o.Single,
		ResponseHeaderTimeout:  o.ResponseHeader,
		ExpectContinueTimeout:  o.Continue,
		MaxResponseHeaderBytes: o.MaxHeader,
		HTTP2: &http.HTTP2Config{
			SendPingTimeout:           o.Ping,
			PingTimeout:               o.Ping,
			WriteByteTimeout:          cmp.Or(o.Idle, writeIdle),
			MaxReceiveBufferPerStream: readAhead,
		},
	}
	// In the clear as far as net/http is concerned: the TLS is Dial's.
	t.maker.Protocols.SetUnencryptedHTTP2(true)
	return t
}

// Close closes the connections, also those in use. It returns nil.
func (t *Transport) Close() error {
	t.mu.Lock()
	t.closed = true
	t.end()
	t.mu.Unlock()
	t.wg.Wait()
	t.mu.Lock()
	conns := t.conns
	t.conns = nil
	t.serve()
	t.mu.Unlock()
	for _, c := range conns {
		c.close()
	}
	return nil
}

// Retire makes each connection close as soon as no request is on it, be it one that
// is still made. Requests under way end as they would, and those that still come are
// served: somebody may have chosen this transport before and not begun yet.
func (t *Transport) Retire() {
	t.retired.Store(true)
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range t.conns {
		c.rest()
	}
}

// Idle returns how many connections have no request on them.
func (t *Transport) Idle() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for _, c := range t.conns {
		if c.cc.Err() == nil && c.cc.InFlight() == 0 {
			n++
		}
	}
	return n
}

// RoundTrip sends a request and returns the response, whose body the caller
// reads to its end or closes: an [http1.Body], unless it is http.NoBody. It
// obeys the contract of http.RoundTripper; the body's Close alone may be called
// while a Read is under way. The response's Trailer is complete once the body
// was read to its end.
//
// x tells what was learned, also of a failure, and may be nil. The error is
// that of Options.Dial or an [*http1.Error]. A request is sent once; one of which
// nothing could be written gets another connection first.
func (t *Transport) RoundTrip(r *http.Request, x *http1.Call) (*http.Response, error) {
	if x == nil {
		x = new(http1.Call)
	}
	if r.Header.Get("Upgrade") != "" {
		closeBody(r)
		return nil, &http1.Error{Phase: http1.PhaseWrite, Kind: http1.NoUpgrade, Err: errUpgrade}
	}
	for sent := 1; ; sent++ {
		c, err := t.conn(r.Context(), x)
		if err != nil {
			closeBody(r)
			return nil, err
		}
		if !x.Begins() {
			c.unreserve()
			closeBody(r)
			return nil, http1.Yielded()
		}
		s := newStream(c, x, r)
		res, failed := s.roundTrip(r)
		switch {
		case failed == nil:
			return res, nil
		case !s.unsent || sent == maxUnsent:
			closeBody(r)
			return nil, failed
		}
	}
}

// maxUnsent bounds how often a request gets another connection because nothing
// of it could be written to the one before.
const maxUnsent = 3

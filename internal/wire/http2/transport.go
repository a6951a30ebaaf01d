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

// Options configure a transport. Only Dial is required.
type Options struct {
	// Dial returns a new connection to the upstream, on which both sides have agreed on
	// HTTP/2. RoundTrip returns its error unchanged. Dial must limit its own time, and
	// end with ctx. One call may serve many requests.
	Dial func(ctx context.Context) (net.Conn, error)

	Handshake time.Duration // longest wait for the upstream's settings on a new connection; 0 = no limit
	Wait      time.Duration // longest wait for a stream when no more connections are allowed; 0 = no limit

	MaxConns  int           // limit on connections; at the limit requests wait for a stream; 0 = 1024
	Single    bool          // each connection serves only one request
	KeepAlive time.Duration // longest idle time of a connection; 0 = until the upstream closes it
	Requests  int           // number of requests after which a connection gets no more; 0 = no limit
	Age       time.Duration // age after which a connection gets no more requests; a random part of up to a tenth is subtracted; 0 = no limit
	Ping      time.Duration // silence after which a ping is sent, and longest wait for its answer; 0 = never

	ResponseHeader time.Duration // from the request's last byte to the response's header; 0 = no limit
	Idle           time.Duration // longest time without progress of either body; 0 = no limit. Also the longest time in which the upstream accepts no bytes; 0 = 30 s
	Continue       time.Duration // longest wait for 100 (Continue) before the body is sent; 0 = no wait

	MaxHeader int64 // bytes of a response header; 0 = 1 MiB
}

const (
	defaultMaxHeader = 1 << 20
	// defaultMaxConns is Envoy's limit. Each connection has or had a request, so there
	// must be as many concurrent ones.
	defaultMaxConns = 1024
	// doubtAfter is the silence of a connection with requests after which new requests
	// avoid it.
	doubtAfter = 5 * time.Second
	// heardJustNow is the age of the last byte up to which a connection counts as alive.
	heardJustNow = 250 * time.Millisecond
	// writeIdle is how long an upstream may accept no bytes of a connection if streams
	// may be silent without limit.
	writeIdle = 30 * time.Second
	// readAhead is the number of bytes that a stream may receive before they are read. A
	// client that does not read can make an upstream fill this memory.
	readAhead = 256 << 10
)

// Transport sends HTTP/2 requests to one upstream. It is safe for concurrent
// use. Use New.
type Transport struct {
	opts    Options
	maker   http.Transport // creates the connections, and has no other use
	buffers sync.Pool      // of *pullBuffer

	life context.Context // context of dialling
	end  context.CancelFunc
	wg   sync.WaitGroup

	retired atomic.Bool // connections close when their last requests end

	pool
}

// New returns a transport. Close ends its connections.
func New(o Options) *Transport {
	o.MaxHeader = cmp.Or(o.MaxHeader, defaultMaxHeader)
	o.MaxConns = cmp.Or(o.MaxConns, defaultMaxConns)
	if o.Single {
		o.Requests = 1
	}
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
	// For net/http this is cleartext; Dial does the TLS.
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

// Retire makes each connection, including those being opened, close as soon as it has no
// request. Requests in flight end normally. New ones are still served, because a caller
// may have chosen this transport before.
func (t *Transport) Retire() {
	t.retired.Store(true)
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range t.conns {
		c.rest()
	}
}

// Idle returns the number of connections without requests.
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

// RoundTrip sends a request and returns the response. The caller reads its body
// completely or closes it; the body is an [http1.Body], unless it is http.NoBody.
// RoundTrip obeys the contract of http.RoundTripper. Only the body's Close may be called
// during a Read. The response's Trailer is complete once the body was read completely.
//
// x receives the facts about the call, also after a failure, and may be nil. The error is
// that of Options.Dial or an [*http1.Error]. A request is sent once: RoundTrip takes
// another connection only if no part of the request could be written.
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

// maxUnsent bounds how often a request gets another connection because no part of it
// could be written.
const maxUnsent = 3

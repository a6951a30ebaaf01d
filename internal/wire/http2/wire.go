package http2

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goodgate/goodgate/internal/wire/h2frame"
	"github.com/goodgate/goodgate/internal/wire/http1"
)

// wire is a connection that observes its frames (RFC 9113 section 4.1).
type wire struct {
	*h2frame.Guard
	limit frameLimit // belongs to the reader

	processed  atomic.Uint32 // the last stream in a GOAWAY; noGoAway without one
	wantsHTTP1 atomic.Bool   // a GOAWAY has required HTTP/1.1
	opened     atomic.Uint32 // stream of the last written HEADERS
	headers    atomic.Int64  // size of that HEADERS
	heard      atomic.Int64  // time of the last byte read, in Unix nanoseconds
	ended      atomic.Value  // wireEnd: the first failure to read

	settled bool          // the upstream's settings were read; belongs to the reader
	greeted bool          // the last read contained them; belongs to the reader
	ready   chan struct{} // closed once the settings are in effect
	over    chan struct{} // closed when the connection has ended
	once    sync.Once     // for over
}

const noGoAway = math.MaxUint32

type wireEnd struct{ err error }

// goodbye bounds the last write of a closing connection.
const goodbye = 250 * time.Millisecond

func newWire(nc net.Conn) *wire {
	w := &wire{Guard: h2frame.NewGuard(nc), ready: make(chan struct{}), over: make(chan struct{})}
	w.In, w.Out = w.read, w.wrote
	w.processed.Store(noGoAway)
	w.heard.Store(time.Now().UnixNano())
	return w
}

// await waits for the upstream's settings, which prove that it speaks HTTP/2, and contain
// its number of streams. Before them no part of a request is sent.
func (w *wire) await(ctx context.Context, limit time.Duration) *http1.Error {
	var expired <-chan time.Time
	if limit > 0 {
		timer := time.NewTimer(limit)
		defer timer.Stop()
		expired = timer.C
	}
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
		return canceled(ctx, http1.PhaseDial)
	case <-expired:
		return &http1.Error{Phase: http1.PhaseDial, Kind: http1.Timeout, Err: fmt.Errorf("no word of HTTP/2 within %v (Handshake)", limit)}
	case <-w.over:
	}
	return w.failure()
}

// failure returns the reason for the end of a connection without requests.
func (w *wire) failure() *http1.Error {
	err := w.end()
	switch {
	case err == nil:
		return &http1.Error{Phase: http1.PhaseDial, Kind: http1.Malformed, Err: errNotHTTP2}
	case w.closed():
		return &http1.Error{Phase: http1.PhaseDial, Kind: http1.Closed, Err: err}
	}
	return &http1.Error{Phase: http1.PhaseDial, Kind: http1.Reset, Err: err}
}

var errNotHTTP2 = errors.New("the upstream does not speak HTTP/2")

// Read records a GOAWAY before net/http sees it. When Read is called again, net/http has
// processed all earlier bytes.
func (w *wire) Read(p []byte) (int, error) {
	if w.greeted {
		w.greeted = false
		close(w.ready)
	}
	n, err := w.Guard.Read(p)
	if n > 0 {
		w.heard.Store(time.Now().UnixNano())
		w.limit.apply(p[:n])
	}
	if err != nil {
		w.ended.CompareAndSwap(nil, wireEnd{err})
		w.once.Do(func() { close(w.over) })
	}
	return n, err
}

// read records a received frame.
func (w *wire) read(f h2frame.Frame) {
	switch {
	case f.Kind == h2frame.GoAway:
		w.goAway(f)
	case f.Kind == h2frame.Settings && f.Complete && !w.settled:
		w.settled, w.greeted = true, true
	}
}

// goAway records a GOAWAY. Among several the lowest last stream applies, because later
// ones may not raise it (RFC 9113, section 6.8).
func (w *wire) goAway(f h2frame.Frame) {
	if code(f.Code) == http11Required {
		w.wantsHTTP1.Store(true)
	}
	if f.Last < w.processed.Load() {
		w.processed.Store(f.Last)
	}
}

// wrote records a frame that is about to be written.
func (w *wire) wrote(f h2frame.Frame) {
	switch f.Kind {
	case h2frame.Headers:
		w.opened.Store(f.Stream)
		w.headers.Store(h2frame.HeaderSize + int64(f.Length))
	case h2frame.Continuation:
		w.headers.Add(h2frame.HeaderSize + int64(f.Length))
	}
}

// Close does not wait for a peer that does not accept the TLS alert.
func (w *wire) Close() error {
	w.once.Do(func() { close(w.over) })
	if outer, ok := w.Conn.(interface{ NetConn() net.Conn }); ok {
		t := time.AfterFunc(goodbye, func() { outer.NetConn().Close() })
		defer t.Stop()
	}
	return w.Conn.Close()
}

// end returns the reason that reading has ended, nil while that is unknown.
func (w *wire) end() error {
	if e, ok := w.ended.Load().(wireEnd); ok {
		return e.err
	}
	return nil
}

// closed reports whether the upstream closed the connection in order.
func (w *wire) closed() bool { return errors.Is(w.end(), io.EOF) }

// goingAway reports whether the upstream wants no more streams.
func (w *wire) goingAway() bool { return w.processed.Load() != noGoAway }

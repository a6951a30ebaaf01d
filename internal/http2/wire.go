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

	"github.com/goodgate/goodgate/internal/http1"
)

// wire is a connection that watches the frames go by (RFC 9113 section 4.1).
// The scanners belong to the reader and to the writer, of which net/http has
// one each; the rest is atomic.
type wire struct {
	net.Conn
	in, out scanner
	ahead   int // bytes that were scanned and have to be written again; the writer's
	windows windows

	processed  atomic.Uint32 // the last stream that a GOAWAY names; noGoAway without one
	wantsHTTP1 atomic.Bool   // a GOAWAY has said so
	opened     atomic.Uint32 // the stream of the last HEADERS that was written
	headers    atomic.Int64  // its size
	heard      atomic.Int64  // when a byte was last read; Unix nanoseconds
	ended      atomic.Value  // wireEnd: the first failure to read

	settled bool          // the upstream's settings were read; the reader's
	greeted bool          // that was just now; the reader's
	ready   chan struct{} // closed once they hold
	over    chan struct{} // closed when the connection has ended
	once    sync.Once     // for over
}

const noGoAway = math.MaxUint32

type wireEnd struct{ err error }

// goodbye is how long a peer may take over a connection's last words.
const goodbye = 250 * time.Millisecond

// preface is the length of what a client sends before its first frame.
const preface = 24

func newWire(nc net.Conn) *wire {
	w := &wire{Conn: nc, windows: newWindows(), ready: make(chan struct{}), over: make(chan struct{})}
	w.out.skip = preface
	w.processed.Store(noGoAway)
	w.heard.Store(time.Now().UnixNano())
	return w
}

// await waits until the upstream has said by its settings that it speaks
// HTTP/2, and how many streams it takes. Until then nothing of a request is sent.
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

// failure says why a connection is over on which nothing was asked.
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

// Read notes GOAWAY before anybody else sees it. Once it is called again all
// that it returned before has been dealt with.
func (w *wire) Read(p []byte) (int, error) {
	if w.greeted {
		w.greeted = false
		close(w.ready)
	}
	n, err := w.Conn.Read(p)
	if n > 0 {
		w.heard.Store(time.Now().UnixNano())
		if wrong := w.look(p[:n]); wrong != nil {
			n, err = 0, wrong
		}
	}
	if err != nil {
		w.ended.CompareAndSwap(nil, wireEnd{err})
		w.once.Do(func() { close(w.over) })
	}
	return n, err
}

// look notes what the frames say, and tells of one that net/http must not see.
func (w *wire) look(p []byte) error {
	for f, ok := w.in.next(&p); ok; f, ok = w.in.next(&p) {
		switch f.kind {
		case frameGoAway:
			w.goAway(f)
		case frameSettings:
			if f.setting == initialWindowSize {
				w.windows.start(f.value)
			}
			if f.complete && !w.settled {
				w.settled, w.greeted = true, true
			}
		case frameWindowUpdate:
			if err := w.windows.grant(f.stream, int64(f.value)); err != nil {
				return err
			}
		}
	}
	return nil
}

// goAway notes a GOAWAY. Of several the lowest last stream holds: the others may
// not raise it (RFC 9113, section 6.8).
func (w *wire) goAway(f frame) {
	if f.code == http11Required {
		w.wantsHTTP1.Store(true)
	}
	if f.last < w.processed.Load() {
		w.processed.Store(f.last)
	}
}

// Write notes what is written before the upstream can answer it. net/http writes
// again what took too long.
func (w *wire) Write(p []byte) (int, error) {
	rest := p[min(w.ahead, len(p)):]
	for f, ok := w.out.next(&rest); ok; f, ok = w.out.next(&rest) {
		switch f.kind {
		case frameData:
			w.windows.grant(f.stream, -int64(f.length))
		case frameHeaders:
			w.windows.open(f.stream)
			w.opened.Store(f.stream)
			w.headers.Store(frameHeader + int64(f.length))
		case frameContinuation:
			w.headers.Add(frameHeader + int64(f.length))
		}
	}
	n, err := w.Conn.Write(p)
	w.ahead = len(p) - n
	return n, err
}

// Close does not wait for a peer that takes no TLS alert.
func (w *wire) Close() error {
	w.once.Do(func() { close(w.over) })
	if outer, ok := w.Conn.(interface{ NetConn() net.Conn }); ok {
		t := time.AfterFunc(goodbye, func() { outer.NetConn().Close() })
		defer t.Stop()
	}
	return w.Conn.Close()
}

// end returns why nothing more can be read, nil while that is not known.
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

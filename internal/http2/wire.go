package http2

import (
	"context"
	"encoding/binary"
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
	w := &wire{Conn: nc, ready: make(chan struct{}), over: make(chan struct{})}
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
		rest := p[:n]
		for f, ok := w.in.next(&rest); ok; f, ok = w.in.next(&rest) {
			switch {
			case f.kind == frameGoAway:
				w.goAway(f)
			case f.kind == frameSettings && !w.settled:
				w.settled, w.greeted = true, true
			}
		}
	}
	if err != nil {
		w.ended.CompareAndSwap(nil, wireEnd{err})
		w.once.Do(func() { close(w.over) })
	}
	return n, err
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

func (w *wire) Write(p []byte) (int, error) {
	n, err := w.Conn.Write(p)
	rest := p[:n]
	for f, ok := w.out.next(&rest); ok; f, ok = w.out.next(&rest) {
		switch f.kind {
		case frameHeaders:
			w.opened.Store(f.stream)
			w.headers.Store(frameHeader + int64(f.length))
		case frameContinuation:
			w.headers.Add(frameHeader + int64(f.length))
		}
	}
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

// The frames that matter here, and the length of what precedes their payload.
const (
	frameHeaders      = 1
	frameSettings     = 4
	frameGoAway       = 7
	frameContinuation = 9
	frameHeader       = 9
	goAwayPayload     = 8
)

// frame is the beginning of a frame.
type frame struct {
	length int // of the payload
	kind   byte
	stream uint32
	last   uint32 // of a GOAWAY: the last stream that was or might be processed
	code   code   // of a GOAWAY: why
}

// scanner finds the frames in a stream of bytes that comes in any portions.
type scanner struct {
	skip int // bytes before the next frame
	n    int // bytes in buf
	buf  [frameHeader + goAwayPayload]byte
}

// next takes bytes off p up to the next beginning of a frame, and reports false
// when they do not hold one to its end.
func (s *scanner) next(p *[]byte) (frame, bool) {
	for len(*p) > 0 {
		if s.n == 0 && s.skip > 0 {
			n := min(s.skip, len(*p))
			*p = (*p)[n:]
			s.skip -= n
			continue
		}
		n := copy(s.buf[s.n:s.want()], *p)
		*p = (*p)[n:]
		s.n += n
		if s.n >= frameHeader && s.n == s.want() {
			return s.frame(), true
		}
	}
	return frame{}, false
}

// want returns how many bytes of the frame are needed.
func (s *scanner) want() int {
	if s.n >= frameHeader && s.buf[3] == frameGoAway && s.length() >= goAwayPayload {
		return frameHeader + goAwayPayload
	}
	return frameHeader
}

func (s *scanner) length() int { return int(binary.BigEndian.Uint32(s.buf[:4]) >> 8) }

func (s *scanner) frame() frame {
	const reserved = 1 << 31
	f := frame{length: s.length(), kind: s.buf[3], stream: binary.BigEndian.Uint32(s.buf[5:]) &^ reserved}
	if f.kind == frameGoAway && s.n > frameHeader {
		f.last = binary.BigEndian.Uint32(s.buf[frameHeader:]) &^ reserved
		f.code = code(binary.BigEndian.Uint32(s.buf[frameHeader+4:]))
	}
	s.skip = f.length - (s.n - frameHeader)
	s.n = 0
	return f
}

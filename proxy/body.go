package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goodgate/goodgate/reason"
)

// replayBody is a client's request body that remembers what it has read, up to
// a bound, so that it can be sent again. Each attempt reads it through a view
// of its own, because a transport may go on reading after its attempt has
// failed.
type replayBody struct {
	client io.ReadCloser
	x      *exchange
	limit  int64
	sized  bool         // the client has said that the body is within limit
	total  atomic.Int64 // read from the client
	most   atomic.Int64 // bytes that it may have; 0 = no bound

	waited  time.Duration // for the client, in all; under reading
	asked   time.Time     // since when the connection waits for the client, while the exchange is parked
	reading sync.Mutex    // held while reading from the client
	mu      sync.Mutex    // protects the fields below; never held while waiting
	buf     []byte        // the body's beginning
	lost    bool          // more was read than buf holds: it cannot be sent again
	err     error         // of the client: io.EOF at the end
	trailer http.Header   // of the request, once err is io.EOF; nobody changes it then
	closed  bool          // the request's handler has returned
	until   time.Time     // when reading from the client ends; zero = it does not
}

func newReplayBody(r *Request, x *exchange, limit int64) *replayBody {
	n := r.ContentLength
	b := &replayBody{client: r.Body, x: x, limit: limit, sized: n > 0 && n <= limit}
	b.most.Store(x.limits.maxBody)
	return b
}

// setMost bounds what is read from now on. A nil body has nothing to bound.
func (b *replayBody) setMost(n int64) {
	if b != nil {
		b.most.Store(n)
	}
}

// replayable reports whether a new view would see the body from its beginning.
func (b *replayBody) replayable() bool {
	if b == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.lost
}

// fits reports whether the whole body will be replayable, also while an upstream
// that has answered early goes on reading it.
func (b *replayBody) fits() bool {
	if b == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.lost && (b.sized || b.err == io.EOF)
}

// kept returns how many bytes of memory the body takes while the request waits.
func (b *replayBody) kept() int64 {
	if b == nil {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return int64(cap(b.buf))
}

// whole reports whether all of the body is here.
func (b *replayBody) whole() bool {
	if b == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.lost && b.err == io.EOF
}

// close bars further reads from the client, which are not allowed once the
// request's handler has returned.
func (b *replayBody) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
}

// errLost is what an attempt gets for a part of the body that is gone.
var errLost = errors.New("the part of the request body that was read is no longer held")

// readAt reads from offset off: what is remembered, else from the client.
func (b *replayBody) readAt(p []byte, off int64) (int, error) {
	if n, err, ok := b.remembered(p, off); ok {
		return n, err
	}
	b.reading.Lock()
	defer b.reading.Unlock()
	// Another view may have read on while this one waited.
	if n, err, ok := b.remembered(p, off); ok {
		return n, err
	}
	n, err := b.readClient(p)
	b.remember(p[:n], err)
	return n, err
}

// remembered serves a read without the client; ok is false when it cannot.
func (b *replayBody) remembered(p []byte, off int64) (n int, err error, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case off < int64(len(b.buf)):
		return copy(p, b.buf[off:]), nil, true
	case off < b.total.Load():
		return 0, errLost, true
	case b.err != nil:
		return 0, b.err, true
	}
	return 0, nil, false
}

func (b *replayBody) remember(p []byte, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.total.Add(int64(len(p)))
	b.err = err
	if err == io.EOF {
		b.trailer = b.x.request.Trailer
	}
	switch {
	case b.lost || len(p) == 0:
	case int64(len(b.buf)+len(p)) <= b.limit:
		b.buf = append(b.buf, p...)
	default:
		b.lost = true
		b.buf = nil
	}
}

// readClient reads with a bound on how long the client may send nothing. The
// deadline holds for the read alone: at the end of the body the server reads
// ahead to see the client leave, and HTTP/2 ends a stream by it at any time.
// After a failure it stays, so that the server does not wait for the rest.
func (b *replayBody) readClient(p []byte) (int, error) {
	if !b.bound(true) {
		return 0, http.ErrBodyReadAfterClose
	}
	began := time.Now()
	n, err := b.client.Read(p)
	b.waited += time.Since(began)
	if most := b.most.Load(); most > 0 && b.total.Load()+int64(n) > most {
		n = int(max(most-b.total.Load(), 0))
		err = fmt.Errorf("the body has more than %d bytes (limits.max_body): %w", most, &http.MaxBytesError{Limit: most})
	}
	if err == nil || err == io.EOF {
		b.bound(false)
		return n, err
	}
	return n, &clientError{err}
}

// bound sets the client's read deadline or takes it off, and reports false once
// the request has ended, since the connection may then serve another.
func (b *replayBody) bound(on bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	idle := b.x.listener.BodyIdle
	if idle > 0 && b.until.IsZero() {
		var deadline time.Time
		if on {
			deadline = time.Now().Add(b.patience(idle))
		}
		b.x.writer.control.SetReadDeadline(deadline)
	}
	return true
}

// patience returns how long the client may send nothing now: idle, and less once
// it has kept goodgate waiting for longer than a client that sends BodyRate would.
// Time in which an upstream takes nothing does not count. A body of unknown length
// may be a stream, which is slow by nature.
func (b *replayBody) patience(idle time.Duration) time.Duration {
	rate := b.x.listener.BodyRate
	if rate <= 0 || b.x.request.ContentLength <= 0 {
		return idle
	}
	due := time.Duration(float64(b.total.Load()) / float64(rate) * float64(time.Second))
	return min(idle, max(idle+due-b.waited, 0))
}

// failure tells how the client failed to send its body, [None] if it did not. It
// outranks what the transport says, since the server ends the request's context
// as soon as reading from the client fails.
func (b *replayBody) failure(ctx context.Context) reason.Reason {
	if b == nil {
		return reason.None
	}
	b.mu.Lock()
	r := clientReason(b.err)
	b.mu.Unlock()
	if r == reason.RequestMalformed && contextReason(ctx) == reason.ClientGone { // an HTTP/2 stream was reset
		return reason.ClientGone
	}
	return r
}

// unread reports whether the client has more of the body to send.
func (b *replayBody) unread() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err == nil || clientReason(b.err) == reason.RequestTooLarge
}

// shortBody is a client's body that its server reads to the end if that is near.
type shortBody interface {
	// EndIsNear reports whether it is. It does not wait.
	EndIsNear() bool
}

// endIsNear reports whether the client's connection can be kept though the body has
// not been read to its end.
func (b *replayBody) endIsNear() bool {
	s, ok := b.client.(shortBody)
	return ok && s.EndIsNear()
}

// atEnd reports whether the client's body has come to a good end.
func (b *replayBody) atEnd() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err == io.EOF
}

// view returns the body for one attempt.
func (b *replayBody) view() *bodyView { return &bodyView{body: b} }

// bodyView is one attempt's reading of the body. Reads belong to one
// goroutine of the transport, Close may come from another.
type bodyView struct {
	body    *replayBody
	off     int64
	trailer http.Header // of the attempt's request, to be filled in at the end; nil = none
	closed  atomic.Bool
}

func (v *bodyView) Read(p []byte) (int, error) {
	if v.closed.Load() {
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := v.body.readAt(p, v.off)
	v.off += int64(n)
	if err == io.EOF {
		v.end()
	}
	return n, err
}

// Close leaves the client's body open for the next attempt.
func (v *bodyView) Close() error {
	v.closed.Store(true)
	return nil
}

// Buffered returns the rest of the body when all of it is remembered, so that
// the transport can send it at once (see http1.Buffered).
func (v *bodyView) Buffered() (rest []byte, ok bool) {
	v.body.mu.Lock()
	defer v.body.mu.Unlock()
	if v.body.err != io.EOF || v.body.lost {
		return nil, false
	}
	return v.body.buf[v.off:], true
}

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

// replayBody is a client's request body that keeps the bytes it has read, up to limit, so
// that they can be sent again. Each attempt reads it through its own view, because a
// transport may still read after its attempt has failed.
type replayBody struct {
	client io.ReadCloser
	x      *exchange
	limit  int64
	sized  bool         // its announced length is within limit
	total  atomic.Int64 // bytes read from the client
	most   atomic.Int64 // bytes that the body may have; 0 = no limit

	waited  time.Duration // total time waited for the client; under reading
	asked   time.Time     // since when the connection waits for the client, while the exchange is parked
	reading sync.Mutex    // held while reading from the client
	mu      sync.Mutex    // protects the fields below; never held while waiting
	buf     []byte        // the kept beginning of the body
	lost    bool          // buf lacks bytes that were read, so the body cannot be sent again
	err     error         // from the client; io.EOF at the end
	trailer http.Header   // the request's, once err is io.EOF; then nobody changes it
	closed  bool          // the request's handler has returned
	until   time.Time     // deadline for reads from the client; zero = none
}

func newReplayBody(r *Request, x *exchange, limit int64) *replayBody {
	n := r.ContentLength
	b := &replayBody{client: r.Body, x: x, limit: limit, sized: n > 0 && n <= limit}
	b.most.Store(x.limits.maxBody)
	return b
}

// setMost limits the size of the body from now on. It does nothing without a body.
func (b *replayBody) setMost(n int64) {
	if b != nil {
		b.most.Store(n)
	}
}

// replayable reports whether a new view can read the body from its beginning.
func (b *replayBody) replayable() bool {
	if b == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.lost
}

// fits reports whether the whole body will be replayable, even while an upstream that has
// answered early still reads it.
func (b *replayBody) fits() bool {
	if b == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.lost && (b.sized || b.err == io.EOF)
}

// kept returns the memory of the body in bytes.
func (b *replayBody) kept() int64 {
	if b == nil {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return int64(cap(b.buf))
}

// whole reports whether the whole body is kept.
func (b *replayBody) whole() bool {
	if b == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.lost && b.err == io.EOF
}

// close makes later reads fail. They are not allowed once the request's handler has
// returned.
func (b *replayBody) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
}

// errLost is the error for a part of the body that is no longer kept.
var errLost = errors.New("the part of the request body that was read is no longer held")

// readAt reads from offset off: kept bytes if there are any, else from the client.
func (b *replayBody) readAt(p []byte, off int64) (int, error) {
	if n, err, ok := b.remembered(p, off); ok {
		return n, err
	}
	b.reading.Lock()
	defer b.reading.Unlock()
	// Another view may have read more in the meantime.
	if n, err, ok := b.remembered(p, off); ok {
		return n, err
	}
	n, err := b.readClient(p)
	b.remember(p[:n], err)
	return n, err
}

// remembered reads without the client. ok is false when it cannot.
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

// readClient reads from the client, with a limit on the client's silence. The deadline
// must not outlast a good read: at the end of the body the server reads ahead to notice
// the client's departure, and HTTP/2 would end the stream. After a failure the deadline
// stays, so that the server does not wait for the rest.
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

// bound sets or clears the client's read deadline. It reports false once the request has
// ended, since the connection may then serve another request.
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

// patience returns how long the client may send nothing now. That is idle, or less once
// goodgate has waited longer than a client at BodyRate would have made it wait. Time in
// which the upstream accepts nothing does not count. A body of unknown length may be a
// stream, so it may be slow.
func (b *replayBody) patience(idle time.Duration) time.Duration {
	rate := b.x.listener.BodyRate
	if rate <= 0 || b.x.request.ContentLength <= 0 {
		return idle
	}
	due := time.Duration(float64(b.total.Load()) / float64(rate) * float64(time.Second))
	return min(idle, max(idle+due-b.waited, 0))
}

// failure returns how the client failed to send its body, [None] if it did not. It has
// precedence over the transport's error, since the server ends the request's context as
// soon as a read from the client fails.
func (b *replayBody) failure(ctx context.Context) reason.Reason {
	if b == nil {
		return reason.None
	}
	b.mu.Lock()
	r := clientReason(b.err)
	b.mu.Unlock()
	if r == reason.RequestMalformed && contextReason(ctx) == reason.ClientGone { // the client has reset its HTTP/2 stream
		return reason.ClientGone
	}
	return r
}

// unread reports whether the client may send more of the body.
func (b *replayBody) unread() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err == nil || clientReason(b.err) == reason.RequestTooLarge
}

// shortBody is a client's body that its server reads to the end when the end is near.
type shortBody interface {
	// EndIsNear reports whether the end is near. It does not wait.
	EndIsNear() bool
}

// endIsNear reports whether the client's connection can stay open although the body has
// not been read to its end.
func (b *replayBody) endIsNear() bool {
	s, ok := b.client.(shortBody)
	return ok && s.EndIsNear()
}

// atEnd reports whether the client's body has ended without an error.
func (b *replayBody) atEnd() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err == io.EOF
}

// view returns the body for one attempt.
func (b *replayBody) view() *bodyView { return &bodyView{body: b} }

// bodyView is the body as one attempt reads it. One goroutine of the transport reads.
// Another one may call Close.
type bodyView struct {
	body    *replayBody
	off     int64
	trailer http.Header // of the attempt's request, filled in at the end of the body; nil = none
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

// Close ends this view. The client's body stays open for the next attempt.
func (v *bodyView) Close() error {
	v.closed.Store(true)
	return nil
}

// Buffered returns the rest of the body if all of it is kept, so that the transport can
// send it in one write (see http1.Buffered).
func (v *bodyView) Buffered() (rest []byte, ok bool) {
	v.body.mu.Lock()
	defer v.body.mu.Unlock()
	if v.body.err != io.EOF || v.body.lost {
		return nil, false
	}
	return v.body.buf[v.off:], true
}

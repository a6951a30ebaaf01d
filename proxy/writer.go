package proxy

import (
	"errors"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/internal/wire/message"
)

// responseWriter writes the response to the client. It adds the fields of every response,
// counts bytes, and limits the time that the client may take for each part.
type responseWriter struct {
	http.ResponseWriter
	x       *exchange
	control http.ResponseController
	status  int    // 0 before the final header
	sized   bool   // the final header has the body's length
	unsent  bool   // written data may still be in the server's buffers
	written int64  // bytes of the body
	err     error  // the first write error
	coder   *coder // compresses the body; nil = no compression

	bounded time.Time // when the write deadline was set; zero = not set
}

func (w *responseWriter) init(inner http.ResponseWriter, x *exchange) {
	w.ResponseWriter, w.x = inner, x
	w.control = *http.NewResponseController(inner)
}

// Unwrap lets [http.ResponseController] reach the server's writer.
func (w *responseWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *responseWriter) WriteHeader(status int) {
	final := status >= 200
	if final && w.status == 0 {
		status = w.refusesStream(status)
		h := w.Header()
		if _, ok := h["Content-Type"]; !ok {
			h["Content-Type"] = nil // else net/http guesses a type that the application has not given
		}
		w.begin(status, h, len(h["Content-Length"]) > 0)
	} else if !w.http2() {
		w.bound()
	}
	w.ResponseWriter.WriteHeader(status)
	if final && w.x.request.ProtoAtLeast(1, 1) {
		clearAnnounced(w.Header(), slices.Values(w.Header()["Trailer"]))
	}
}

// begin begins the final response. It starts the client's write time limit, and adds the
// fields of every response to h. sized reports whether h has the body's length.
func (w *responseWriter) begin(status int, h message.Editor, sized bool) {
	if !w.http2() {
		w.bound()
	}
	w.status, w.sized, w.unsent = status, sized, true
	x := w.x
	h.Set("X-Request-Id", x.record.ID)
	if x.proxy.draining.Load() || x.listener.leaving() || x.astray() {
		h.Set("Connection", "close")
	}
	if other := x.listener.AltSvc; other != nil {
		h.Del("Alt-Svc")
		for _, v := range other {
			h.Add("Alt-Svc", v)
		}
	}
	if why := x.record.Reason; why != reason.None {
		h.Add("Proxy-Status", x.proxyStatus(why, status))
	}
	x.keepSent(h)
	w.boundBody()
}

func (w *responseWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.status == http.StatusNoContent || w.status == http.StatusNotModified {
		return len(p), nil // servers refuse a body here, and the client is not at fault
	}
	if w.coder != nil {
		w.unsent, w.coder.pending = true, true
		return w.coder.Write(p)
	}
	return w.write(p)
}

// write writes p without compression.
func (w *responseWriter) write(p []byte) (int, error) {
	if h := w.hurt(); h != nil {
		return w.throttled(p, h)
	}
	return w.pass(p)
}

// pass writes bytes to the client.
func (w *responseWriter) pass(p []byte) (int, error) {
	w.bound()
	n, err := w.ResponseWriter.Write(p)
	w.unsent = w.unsent || len(p) <= serverBuffer
	if w.http2() {
		w.unbound()
	}
	if w.x.request.Method != http.MethodHead { // for HEAD the server sends no body
		w.written += int64(n)
	}
	if err != nil && w.err == nil {
		w.err = err
	}
	return n, err
}

// serverBuffer is the most of a response, in bytes, that HTTP servers buffer to send it
// with later data.
const serverBuffer = 4 << 10

// flush sends buffered data.
func (w *responseWriter) flush() error {
	w.unsent = false
	w.bound()
	err := w.push()
	if w.http2() {
		w.unbound()
	}
	if errors.Is(err, http.ErrNotSupported) {
		return nil
	}
	if err != nil && w.err == nil {
		w.err = err
	}
	return err
}

// bound gives the client WriteIdle to take the next part. It keeps a deadline that has
// most of its time left.
func (w *responseWriter) bound() {
	d := w.x.listener.WriteIdle
	if d <= 0 {
		return
	}
	if now := time.Now(); now.Sub(w.bounded) > d/8 {
		w.bounded = now
		w.control.SetWriteDeadline(now.Add(d))
	}
}

// unbound clears the deadline. In HTTP/1 one is left from the response before. In HTTP/2
// it would end a stream that is silent for good reason.
func (w *responseWriter) unbound() {
	if w.x.listener.WriteIdle > 0 {
		w.bounded = time.Time{}
		w.control.SetWriteDeadline(w.bounded)
	}
}

func (w *responseWriter) http2() bool { return w.x.request.ProtoMajor >= 2 }

// boundBody limits how long the server waits for the rest of a request's body, which it
// reads before it sends an early answer.
func (w *responseWriter) boundBody() {
	d := w.x.listener.BodyIdle
	if d > 0 && w.x.request.ContentLength != 0 && (w.x.body == nil || w.x.body.unread()) {
		w.control.SetReadDeadline(time.Now().Add(d))
	}
}

// astray reports whether the beginning of the client's next request is in doubt: this
// request is malformed, or the end of its body is not near. net/http checks this only
// when it does not write while it reads (EnableFullDuplex).
func (x *exchange) astray() bool {
	if x.writer.http2() {
		return false
	}
	return x.record.Reason == reason.RequestMalformed || x.body != nil && !x.body.sized && !x.body.atEnd() && !x.body.endIsNear()
}

// bufferPool lends the relays their copy buffers. While many are lent, the clients are
// slow, and it lends smaller ones.
type bufferPool struct {
	lent         atomic.Int64
	large, small sync.Pool
}

// Sizes of the buffers, in bytes, for bodies that are not collected. A large buffer saves
// system calls. But each slow client holds one, and has to take that much within the
// write timeout.
const (
	largeBuffer  = 64 << 10
	smallBuffer  = 16 << 10
	largeBuffers = 256 // number lent at a time
)

func (b *bufferPool) Get() []byte {
	if b.lent.Add(1) > largeBuffers {
		if p, ok := b.small.Get().(*[smallBuffer]byte); ok {
			return p[:]
		}
		return make([]byte, smallBuffer)
	}
	if p, ok := b.large.Get().(*[largeBuffer]byte); ok {
		return p[:]
	}
	return make([]byte, largeBuffer)
}

func (b *bufferPool) Put(p []byte) {
	b.lent.Add(-1)
	switch len(p) {
	case largeBuffer:
		b.large.Put((*[largeBuffer]byte)(p))
	case smallBuffer:
		b.small.Put((*[smallBuffer]byte)(p))
	}
}
